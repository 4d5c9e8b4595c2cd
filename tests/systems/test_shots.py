"""The solved examples of a prompt, and the training rows of the systems that read no messages."""

import json

import pytest

from slmkit.systems._rows import conversation_texts, read_rows
from slmkit.systems._shots import FewShot
from slmkit.systems.embedding_classifier import embedding_classifier
from slmkit.systems.linear_svm import linear_svm
from slmkit.systems.retrieval_only import retrieval_only
from slmkit.types import Example, Task

QUESTION = Example("q", "where is my card now", "?")


def prepared(folder, *chats):
    rows = [{"messages": [*asked, {"role": "assistant", "content": label}]} for asked, label in chats]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def user(text):
    return {"role": "user", "content": text}


@pytest.mark.parametrize("shots", ["fixed", "random", "nearest"])
def test_alike_rows_are_replaced_until_there_are_num_shots(tmp_path, shots):
    alike = [user(QUESTION.input), user([{"type": "text", "text": "Where is my card now?"}])]
    alike.append({"from": "human", "value": "where is my CARD now"})
    chats = [([turn], "alike") for turn in alike] * 3 + [([user(f"where is number {i}")], str(i)) for i in range(3)]
    choose = FewShot(num_shots=3, shots=shots, examples=prepared(tmp_path, *chats)).load()
    for seed in range(10):
        [rows] = choose([Example(str(seed), QUESTION.input, "?")])
        assert sorted(row.target for row in rows) == ["0", "1", "2"]


def test_a_row_is_read_in_any_format_that_training_reads(tmp_path):
    turns = [{"from": "system", "value": "Be kind."}, {"from": "human", "value": "hello"}]
    tool = {"name": "find", "parameters": {}}
    row = {"messages": json.dumps([*turns, {"from": "gpt", "value": "hi"}]), "functions": [tool]}
    (tmp_path / "train.jsonl").write_text(json.dumps(row))
    [example] = read_rows(tmp_path)
    assert (example.input, example.target) == ("hello", "hi")
    assert example.tools == ({"type": "function", "function": tool},)


def test_the_text_of_a_conversation_has_its_history_and_system_turns_that_differ():
    def row(system):
        turns = [{"role": "system", "content": system}, user("a"), {"role": "assistant", "content": "b"}, user("c")]
        return Example("1", "c", "d", messages=tuple(turns))

    assert conversation_texts([row("x"), QUESTION], [row("x"), row("x")]) == ["a\n\nb\n\nc", QUESTION.input]
    assert conversation_texts([row("x")], [row("x"), row("y")]) == ["x\n\na\n\nb\n\nc"]


@pytest.mark.parametrize("system", [linear_svm, embedding_classifier, retrieval_only])
def test_a_system_without_messages_reads_the_whole_conversation(tmp_path, system):
    def asked(topic):
        return [user(f"i have a question about {topic}"), {"role": "assistant", "content": "Yes?"}, user("please")]

    chats = [([{"role": "system", "content": "Name the topic."}, *asked(t)], t) for t in ("cards", "loans")] * 5
    questions = [Example(t, "please", t, messages=tuple(asked(t))) for t in ("loans", "cards")]
    task = Task("bank", "classification", "", ("cards", "loans"))
    answers = system(task, train=prepared(tmp_path, *chats)).answer(questions)
    assert [answer.text for answer in answers] == ["loans", "cards"]
