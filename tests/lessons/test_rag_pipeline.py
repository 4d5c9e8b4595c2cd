"""The steps of the retrieval lesson: pages are cut, what was found is judged, and margins are worked out."""

import pytest

from slmkit.evaluation.lesson_arms import Arm
from slmkit.lessons.four_ways import margins
from slmkit.lessons.rag_pipeline import chunk_pages, contains_answer, grounded, retrieve, with_perfect_retrieval
from slmkit.types import Answer, Example

NOTES = {name: f"the pet of {name} is a {pet}. {name} comes on monday." for name, pet in
         (("miban", "cat"), ("rodel", "dog"), ("tovin", "owl"), ("gepan", "fox"))}  # fmt: skip
QUESTION = Example("q", "which pet does rodel have?", "dog", relevant=("rodel",))


def test_a_page_is_cut_into_whole_notes_where_they_fit() -> None:
    assert [chunk.text for chunk in chunk_pages(NOTES, size=11, per_page=2)] == list(NOTES.values())
    assert len(chunk_pages(NOTES, size=30, per_page=2)) == 2
    assert all(len(chunk.text.split()) <= 3 for chunk in chunk_pages(NOTES, size=3, per_page=4))


@pytest.mark.parametrize(("size", "found"), [(11, True), (2, False)])
def test_a_fact_cut_in_two_is_not_found(size: int, found: bool) -> None:
    asked = retrieve(chunk_pages(NOTES, size=size, per_page=4), [QUESTION], 2)
    assert contains_answer(asked.chunks[0], QUESTION) is found
    assert asked.questions[0].input.endswith("\nwhich pet does rodel have?")


def test_reading_is_measured_with_the_right_note_in_place() -> None:
    missed = retrieve(chunk_pages({"tovin": NOTES["tovin"]}, size=11, per_page=1), [QUESTION], 2)
    assert not contains_answer(missed.chunks[0], QUESTION)
    assert with_perfect_retrieval(missed, [QUESTION], NOTES).chunks[0][0] == NOTES["rodel"]


def test_an_answer_that_no_chunk_holds_is_not_grounded() -> None:
    answers = [Answer("q", text) for text in ("dog", "wolf", "the notes do not say")]
    arm = Arm([QUESTION] * 3, answers, [1.0, 0.0, 0.0])
    assert grounded(arm, [[NOTES["rodel"]]] * 3) == 0.5


def test_each_way_is_judged_on_the_task_that_is_its_own() -> None:
    ways = ("prompt", "few-shot", "RAG", "fine-tuned", "fine-tuned + RAG")
    table = {
        "skills": dict(zip(ways, (0.9, 0.8, 0.7, 0.95, 0.6), strict=True)),
        "fresh": dict(zip(ways, (0.0, 0.1, 0.8, 0.2, 0.8), strict=True)),
        "tickets": dict(zip(ways, (0.0, 0.1, 0.2, 0.9, 0.7), strict=True)),
        "fresh_tickets": dict(zip(ways, (0.0, 0.1, 0.2, 0.3, 0.9), strict=True)),
    }
    assert list(margins(table).values()) == pytest.approx([0.05, 0.6, 0.7, 0.6])
