"""Arms without a chat model, engines that are not installed, and targets that are scored."""

import pytest
from project_files import read_jsonl

from slmkit.errors import SlmkitError
from slmkit.gold.gold_set import freeze_gold
from slmkit.metrics.likelihood import perplexity
from slmkit.recipe.call import Part
from slmkit.runs.run import Run
from slmkit.stages.compare import compare
from slmkit.systems import NotApplicable
from slmkit.systems.embedding_classifier import embedding_classifier
from slmkit.systems.llama_cpp import llama_cpp
from slmkit.systems.majority import majority
from slmkit.systems.prompt import prompt
from slmkit.systems.retrieval_only import retrieval_only
from slmkit.systems.vllm import vllm
from slmkit.types import Example, Task

LABELS = Task("bank", "classification", "", ("card lost", "top up", "close"))
QUESTIONS = [Example("1", "my card was stolen", "card lost"), Example("2", "top up pending", "top up")]


def test_embeddings_and_a_linear_model_know_labels_and_how_sure_they_are(prepared):
    answers = embedding_classifier(LABELS, train=prepared).answer(QUESTIONS)
    assert [answer.text for answer in answers] == ["card lost", "top up"]
    assert all(1 / 3 < answer.confidence <= 1 for answer in answers)
    with pytest.raises(NotApplicable):
        embedding_classifier(Task("t"), train=prepared)


def test_retrieval_alone_answers_with_the_best_passage_or_the_nearest_rows_answer(prepared):
    [passage, _] = retrieval_only(LABELS, documents=prepared, top_k=2).answer(QUESTIONS)
    assert passage.text == "my card is gone, it was stolen: card lost"
    assert passage.passages[0] == "p1" and len(passage.passages) == 2
    assert [a.text for a in retrieval_only(LABELS, train=prepared).answer(QUESTIONS)] == ["card lost", "top up"]
    [nothing] = retrieval_only(LABELS, train=prepared).answer([Example("3", "zzz", "close")])
    assert (nothing.text, nothing.error) == ("", "")
    with pytest.raises(SlmkitError, match=r"`documents` or from `train`"):
        retrieval_only(LABELS)


def test_targets_are_scored_as_the_model_itself_scores_them(nano):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    [answer] = prompt(Task("t"), model=nano, max_new_tokens=1, score_targets=True).answer([Example("1", "hi", "oak")])
    tokenizer = AutoTokenizer.from_pretrained(nano.path)
    model = AutoModelForCausalLM.from_pretrained(nano.path, dtype=torch.float32)  # as slmkit computes on a CPU
    chat = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "oak"}]
    asked = tokenizer.apply_chat_template(chat[:1], add_generation_prompt=True)["input_ids"]
    ending = tokenizer.apply_chat_template(chat)["input_ids"][len(asked) :]
    with torch.inference_mode():
        logits = model(torch.tensor([[*asked, *ending]])).logits[0].float().log_softmax(-1)
    wanted = sum(logits[len(asked) - 1 + i, token].item() for i, token in enumerate(ending))
    assert answer.target_tokens == len(ending) and answer.target_logprob == pytest.approx(wanted, rel=1e-4)
    example = Example("1", "hi", "oak")
    assert perplexity([example], [answer]) == pytest.approx(2.718281828 ** (-wanted / len(ending)), rel=1e-4)


def test_an_engine_that_is_not_installed_is_told_before_any_work(nano, tmp_path):
    for make, name in (
        (lambda: vllm(LABELS, model=nano), "vllm"),
        (lambda: llama_cpp(LABELS, gguf=tmp_path), "llama"),
    ):
        with pytest.raises(SlmkitError, match=f"{name}.* is not installed") as caught:
            make()
        assert "openai_endpoint" in caught.value.fix


@pytest.mark.parametrize("name", ["prompt", "best_prompt", "openai_endpoint", "llama_cpp", "vllm"])
def test_every_system_that_only_asks_a_model_is_a_prompting_arm_of_a_comparison(nano, prepared, tmp_path, name):
    gold = tmp_path / "gold" / "bank"
    questions = [Example(f"q{i}", f"question {i}", "top up") for i in range(20)]
    freeze_gold(gold, examples=questions, task=LABELS, source="made by this test")
    asked = Part("systems", name, prompt, {"model": nano})  # asks as `prompt` does, under the other's name
    floor = Part("systems", "majority", majority, {"train": prepared})
    run = Run(tmp_path / "run")
    compare(run, systems={"floor": floor, "asked": asked}, gold=gold, limit=4)
    assert {row["reference"] for row in read_jsonl(run.dir / "arms.jsonl")} == {"asked"}
