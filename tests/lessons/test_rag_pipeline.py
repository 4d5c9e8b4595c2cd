"""The steps of the retrieval lesson: pages are chunked, retrieved chunks are checked, and margins are computed."""

import pytest

from slmkit.evaluation.lesson_arms import LessonArm
from slmkit.lessons.four_ways import margins
from slmkit.lessons.rag_pipeline import chunk_pages, contains_answer, grounded, retrieve, with_perfect_retrieval
from slmkit.types import Answer, Example

NOTES = {name: f"{name} comes on monday. the pet of {name} is a {pet}." for name, pet in
         (("miban", "cat"), ("rodel", "dog"), ("tovin", "owl"), ("gepan", "fox"))}  # fmt: skip
QUESTION = Example("q", "which pet does rodel have?", "dog", relevant=("rodel",))


def test_pages_are_split_between_notes_where_possible() -> None:
    assert [chunk.text for chunk in chunk_pages(NOTES, size=11, per_page=2)] == list(NOTES.values())
    assert len(chunk_pages(NOTES, size=30, per_page=2)) == 2
    assert all(len(chunk.text.split()) <= 3 for chunk in chunk_pages(NOTES, size=3, per_page=4))


@pytest.mark.parametrize(("size", "found"), [(11, True), (2, False)])
def test_a_fact_split_across_chunks_is_not_found(size: int, found: bool) -> None:
    asked = retrieve(chunk_pages(NOTES, size=size, per_page=4), [QUESTION], 2)
    assert contains_answer(asked.chunks[0], QUESTION) is found
    assert asked.questions[0].input.endswith("\nwhich pet does rodel have?")


def test_perfect_retrieval_puts_the_right_note_first() -> None:
    missed = retrieve(chunk_pages({"tovin": NOTES["tovin"]}, size=11, per_page=1), [QUESTION], 2)
    assert not contains_answer(missed.chunks[0], QUESTION)
    assert with_perfect_retrieval(missed, [QUESTION], NOTES).chunks[0][0] == NOTES["rodel"]


def test_an_answer_in_no_chunk_is_not_grounded() -> None:
    answers = [Answer("q", text) for text in ("dog", "wolf", "the notes do not say")]
    arm = LessonArm([QUESTION] * 3, answers, [1.0, 0.0, 0.0])
    assert grounded(arm, [[NOTES["rodel"]]] * 3) == 0.5


def test_each_margin_comes_from_the_task_of_its_way() -> None:
    ways = ("prompt", "few-shot", "RAG", "fine-tuned", "fine-tuned + RAG")
    table = {
        "skills": dict(zip(ways, (0.9, 0.8, 0.7, 0.95, 0.6), strict=True)),
        "fresh": dict(zip(ways, (0.0, 0.1, 0.8, 0.2, 0.8), strict=True)),
        "tickets": dict(zip(ways, (0.0, 0.1, 0.2, 0.9, 0.7), strict=True)),
        "fresh_tickets": dict(zip(ways, (0.0, 0.1, 0.2, 0.3, 0.9), strict=True)),
    }
    assert list(margins(table).values()) == pytest.approx([0.05, 0.6, 0.7, 0.6])
