"""RAG puts what it retrieves before the question; the chats that reach the model show it."""

import json

import pytest
from project_files import build

from slmkit.data.documents import stored_passages
from slmkit.errors import SlmkitError
from slmkit.systems._rag_prompt import rag_prompt
from slmkit.systems.rag import rag
from slmkit.types import Example, Passage, Task

TASK = Task("bank", "generation", "answer.")
QUESTION = Example("a", "my card was lost", "card lost")


def test_the_best_passages_come_before_the_question(nano, chats, prepared):
    [answer] = build(rag, TASK, model=nano, documents=prepared, top_k=2, max_new_tokens=4).answer([QUESTION])
    first, second, question = chats[0][-1]["content"].split("\n")
    assert question == "my card was lost"
    assert "card" in first and "card" in second
    assert len(answer.passages) == 2
    assert answer.passages[0].startswith("p")


def test_a_folder_of_texts_can_be_searched(nano, chats, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "cards.md").write_text("A lost card is blocked at once.\n")
    (tmp_path / "docs" / "money.md").write_text("Cash cannot be used.\n")
    build(rag, TASK, model=nano, documents=tmp_path / "docs", top_k=1, max_new_tokens=1).answer([QUESTION])
    assert chats[0][-1]["content"] == "A lost card is blocked at once.\nmy card was lost"


def test_without_a_hit_the_prompt_is_only_the_question(nano, chats, prepared):
    system = build(rag, TASK, model=nano, documents=prepared, max_new_tokens=1)
    system.answer([Example("c", "quantum {input}?", "")])
    assert chats[0][-1]["content"] == "quantum {input}?"


@pytest.mark.parametrize("template", ["{passages}", "no places", "{passages} {input} {other}", "{passages {input}"])
def test_a_template_needs_both_placeholders_and_no_other(nano, prepared, template):
    with pytest.raises(SlmkitError) as caught:
        build(rag, TASK, model=nano, documents=prepared, prompt_template=template)
    assert repr(template) in caught.value.what


def test_passages_have_a_heading_and_numbers_and_the_question_a_name():
    prompt = rag_prompt(TASK, "auto", vocabulary=50_000)
    assert prompt.user("Where?", [Passage("a", "Here."), Passage("b", "There.")]) == (
        "Use these passages to answer.\n\n[1] Here.\n\n[2] There.\n\nQuestion: Where?"
    )
    assert prompt.user("Where?", []) == "Where?"


def test_training_rows_are_turns_the_most_similar_next_to_the_question():
    prompt = rag_prompt(TASK, "auto", vocabulary=50_000)
    rows = [Passage("a", "My card is gone.\ncard", "card"), Passage("b", "I need money.\nloan", "loan")]
    assert [turn["content"] for turn in prompt.shots(rows)] == ["I need money.", "loan", "My card is gone.", "card"]
    assert prompt.user("My card?", rows) == "My card?"
    assert prompt.shots([*rows, Passage("c", "A text.")]) == []


def test_a_bundled_model_gets_the_form_it_was_trained_on():
    prompt = rag_prompt(TASK, "auto", vocabulary=1_686)
    row = Passage("a", "My card is gone.\ncard", "card")
    assert (prompt.shots([row]), prompt.user("My card?", [row])) == ([], "My card is gone.\ncard\nMy card?")


def test_an_own_template_is_filled():
    prompt = rag_prompt(TASK, "{passages}\n--\n{input}", vocabulary=50_000)
    assert prompt.user("Where?", [Passage("a", "{input} here.")]) == "[1] {input} here.\n--\nWhere?"


def test_the_rows_of_a_prepared_run_keep_their_answers(tmp_path):
    rows = [Passage("a", "My card?\ncard", "card"), Passage("b", "A text.")]
    (tmp_path / "documents.jsonl").write_text("".join(json.dumps(row.to_dict()) + "\n" for row in rows))
    assert stored_passages(tmp_path) == rows
