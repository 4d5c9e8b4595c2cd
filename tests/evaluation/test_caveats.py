"""Handicaps of a system are in the verdict; differences other than the model are in the notes."""

from slmkit.evaluation.caveats import SERVERS_TEMPLATE, differences, handicaps
from slmkit.evaluation.score import summarise
from slmkit.types import Answer, Task

ANSWERS = [Answer("1", "a"), Answer("2", "b")]


def summary(**counts: int):
    """100 answers: `error` of them missing, `cut` of them cut off."""
    kinds = [Answer("", "", error="too long", stopped=False)] * counts.get("error", 0)
    kinds += [Answer("", "x", stopped=False)] * counts.get("cut", 0)
    kinds += [Answer("", "x")] * (100 - len(kinds))
    return summarise(Task("t"), kinds, [0.0] * 100)


def test_only_rates_above_their_threshold_are_handicaps():
    setups = {"prompt": {"labels_left_out": "1,039 tokens"}, "tuned": {}, "RAG": {}}
    arms = {"prompt": summary(), "tuned": summary(error=4, cut=40), "RAG": summary(error=79)}
    text = handicaps(77, arms, setups)
    assert "77 labels" in text and "RAG 79%" in text and "tuned" not in text
    assert handicaps(0, {"tuned": summary(cut=60)}, setups).endswith(" tuned 60%.")
    assert handicaps(77, {"tuned": summary()}, setups) == ""
    empty = summarise(Task("t"), [Answer("", "")] * 10 + [Answer("", "x")] * 90, [0.0] * 100)
    assert handicaps(0, {"tuned": empty}, setups).endswith(" tuned 10%.")


def test_a_training_that_changed_no_answer_and_another_template_are_noted():
    uses, setups = {"prompt": "prompt", "tuned": "prompt"}, {"prompt": {"template": "x"}, "tuned": {"template": "y"}}
    idle, template = differences(uses, ["tuned"], {"prompt": ANSWERS, "tuned": ANSWERS}, setups)
    assert "100%" in idle and "tuned" in idle and "prompt" in idle
    assert "template (x: prompt; y: tuned)" in template
    other = {"prompt": ANSWERS, "tuned": [Answer("1", "z"), ANSWERS[1]]}
    assert differences(uses, ["tuned"], other, {"prompt": {}, "tuned": {}}) == []
    few = {"few-shot": "prompt", **uses, "few-shot again": "prompt"}
    answers = {"few-shot": other["tuned"], "few-shot again": other["tuned"], "prompt": ANSWERS, "tuned": ANSWERS}
    assert len(differences(few, ["tuned"], answers, {name: {} for name in few})) == 1
    silent = [Answer("1", "", error="too long"), Answer("2", "", error="too long")]
    assert differences(uses, ["tuned"], {"prompt": silent, "tuned": silent}, {"prompt": {}, "tuned": {}}) == []


def test_a_template_that_only_the_server_knows_is_noted_unless_all_systems_use_that_server():
    def notes(**setups: dict[str, str]) -> list[str]:
        return differences(dict.fromkeys(setups, "x"), [], dict.fromkeys(setups, ANSWERS), setups)

    hosted = {"template": SERVERS_TEMPLATE, "backend": "http://a/v1", "model": "m"}
    [note] = notes(hosted=hosted, prompt={"template": "x"})
    assert "hosted" in note
    known, again = notes(hosted=hosted, prompt={"template": "x"}, tuned={"template": "y"})
    assert "template (x: prompt; y: tuned)" in known and again == note
    assert notes(hosted=hosted, other=hosted | {"model": "n"}) == [note.replace("hosted", "hosted, other")]
    assert notes(hosted=hosted, shots=hosted, majority={}) == []  # one server, one model: one template


def test_one_rule_for_the_length_of_answers_is_one_decoding_whatever_the_tokenizers_count():
    uses = {"prompt": "prompt", "server": "openai_endpoint"}
    setups = {
        name: {"decoding": f"greedy, up to {n} tokens (auto)"} for name, n in zip(uses, ("213", "1,064"), strict=True)
    }
    assert differences(uses, [], dict.fromkeys(uses, ANSWERS), setups) == []
    fixed = {**setups, "server": {"decoding": "greedy, up to 64 tokens"}}
    assert "decoding" in differences(uses, [], dict.fromkeys(uses, ANSWERS), fixed)[0]
