"""What handicapped an arm is said in the verdict, what makes arms unlike in the notes."""

from slmkit.evaluation.caveats import SERVERS_TEMPLATE, differences, handicaps
from slmkit.evaluation.score import summarise
from slmkit.types import Answer, Task

SAID = [Answer("1", "a"), Answer("2", "b")]


def summary(**counts: int):
    """Of 100 answers: `error` without one, `cut` cut short."""
    kinds = [Answer("", "", error="too long", stopped=False)] * counts.get("error", 0)
    kinds += [Answer("", "x", stopped=False)] * counts.get("cut", 0)
    kinds += [Answer("", "x")] * (100 - len(kinds))
    return summarise(Task("t"), kinds, [0.0] * 100)


def test_labels_not_shown_missing_answers_and_cut_ones_are_said_in_the_verdict():
    setups = {"prompt": {"labels_left_out": "1,039 tokens"}, "tuned": {}, "RAG": {}}
    arms = {"prompt": summary(), "tuned": summary(error=4, cut=40), "RAG": summary(error=79)}
    assert handicaps(77, arms, setups) == (
        " The 77 labels did not fit the prompt of prompt. Questions without an answer, which count as wrong: RAG 79%."
    )
    assert handicaps(0, {"tuned": summary(cut=60)}, setups) == " Answers cut at max_new_tokens: tuned 60%."
    assert handicaps(77, {"tuned": summary()}, setups) == ""
    empty = summarise(Task("t"), [Answer("", "")] * 10 + [Answer("", "x")] * 90, [0.0] * 100)
    assert handicaps(0, {"tuned": empty}, setups) == " Empty answers: tuned 10%."


def test_a_training_that_changed_no_answer_and_another_template_are_said():
    uses, setups = {"prompt": "prompt", "tuned": "prompt"}, {"prompt": {"template": "x"}, "tuned": {"template": "y"}}
    idle, template = differences(uses, ["tuned"], {"prompt": SAID, "tuned": SAID}, setups)
    assert "did its training do anything" in idle and "the arms differ in template (x: prompt; y: tuned)" in template
    other = {"prompt": SAID, "tuned": [Answer("1", "z"), SAID[1]]}
    assert differences(uses, ["tuned"], other, {"prompt": {}, "tuned": {}}) == []
    few = {"few-shot": "prompt", **uses, "few-shot again": "prompt"}
    said = {"few-shot": other["tuned"], "few-shot again": other["tuned"], "prompt": SAID, "tuned": SAID}
    assert len(differences(few, ["tuned"], said, {name: {} for name in few})) == 1
    silent = [Answer("1", "", error="too long"), Answer("2", "", error="too long")]
    assert differences(uses, ["tuned"], {"prompt": silent, "tuned": silent}, {"prompt": {}, "tuned": {}}) == []


def test_a_template_that_only_the_server_knows_is_said_to_be_unknown():
    def said(**setups: dict[str, str]) -> list[str]:
        return differences(dict.fromkeys(setups, "x"), [], dict.fromkeys(setups, SAID), setups)

    hosted = {"template": SERVERS_TEMPLATE, "backend": "http://a/v1", "model": "m"}
    note = "the template of hosted is the server's and unknown: the arms may differ in it"
    assert said(hosted=hosted, prompt={"template": "x"}) == [note]
    assert said(hosted=hosted, prompt={"template": "x"}, tuned={"template": "y"}) == [
        "the arms differ in template (x: prompt; y: tuned), so not in the model alone",
        note,
    ]
    assert said(hosted=hosted, other=hosted | {"model": "n"}) == [note.replace("hosted", "hosted, other")]
    assert said(hosted=hosted, shots=hosted, majority={}) == []  # one server, one model: one template
