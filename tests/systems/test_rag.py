"""RAG puts what it retrieves before the question; the chats that reach the model show it."""

import pytest
from project_files import build

from slmkit.errors import SlmkitError
from slmkit.systems.rag import rag
from slmkit.types import Example, Task

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


@pytest.mark.parametrize("notes", ["{passages}", "no places", "{passages} {input} {other}", "{passages {input}"])
def test_a_template_needs_both_placeholders_and_no_other(nano, prepared, notes):
    with pytest.raises(SlmkitError) as caught:
        build(rag, TASK, model=nano, documents=prepared, notes=notes)
    assert repr(notes) in caught.value.what
