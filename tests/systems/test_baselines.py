"""Baselines without a chat model, engines that are not installed, and the log-probabilities of targets."""

import pytest
from project_files import build, read_jsonl

from slmkit.errors import SlmkitError
from slmkit.gold.freeze import freeze_gold
from slmkit.metrics.likelihood import perplexity
from slmkit.recipe.call import Part
from slmkit.runs.run_folder import Run
from slmkit.stages.compare import compare
from slmkit.systems import NotApplicable
from slmkit.systems.embedding_classifier import embedding_classifier
from slmkit.systems.linear_svm import linear_svm
from slmkit.systems.llama_cpp import llama_cpp
from slmkit.systems.majority import majority
from slmkit.systems.prompt import prompt
from slmkit.systems.retrieval_only import retrieval_only
from slmkit.systems.vllm import vllm
from slmkit.types import Example, Task

LABELS = Task("bank", "classification", "", ("card lost", "top up", "close"))
QUESTIONS = [Example("1", "my card was stolen", "card lost"), Example("2", "top up pending", "top up")]


@pytest.mark.parametrize("classifier", [linear_svm, embedding_classifier])
def test_a_classifier_learns_the_labels_and_refuses_free_text(prepared, classifier):
    answers = classifier(LABELS, train=prepared).answer(QUESTIONS)
    assert [answer.text for answer in answers] == ["card lost", "top up"]
    if classifier is embedding_classifier:
        assert all(1 / 3 < answer.confidence <= 1 for answer in answers)
    with pytest.raises(NotApplicable, match="'free'"):
        classifier(Task("free"), train=prepared)


def test_the_majority_baseline_gives_one_frequent_answer(prepared):
    [text] = {answer.text for answer in majority(LABELS, train=prepared).answer(QUESTIONS)}
    assert text in ("card lost", "top up")  # four of ten rows each


def test_a_row_that_is_not_a_chat_is_refused_with_its_line(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"messages": [{"role": "user", "content": "a"}]}\n')
    with pytest.raises(SlmkitError) as error:
        majority(LABELS, train=tmp_path).answer(QUESTIONS)
    assert error.value.where.endswith("train.jsonl:1")


def test_retrieval_alone_answers_with_the_best_passage_or_the_target_of_the_nearest_row(prepared):
    [passage, _] = retrieval_only(LABELS, documents=prepared, top_k=2).answer(QUESTIONS)
    assert passage.text == "my card is gone, it was stolen: card lost"
    assert passage.passages[0] == "p1" and len(passage.passages) == 2
    assert [a.text for a in retrieval_only(LABELS, train=prepared).answer(QUESTIONS)] == ["card lost", "top up"]
    [nothing] = retrieval_only(LABELS, train=prepared).answer([Example("3", "zzz", "close")])
    assert (nothing.text, nothing.error) == ("", "")
    with pytest.raises(SlmkitError, match=r"documents=FOLDER.*train=loop/prepare"):
        retrieval_only(LABELS)
    with pytest.raises(SlmkitError, match=r"`documents` or `train`"):
        retrieval_only(LABELS, documents=prepared, train=prepared)


def test_the_log_probability_of_a_target_is_that_of_transformers(nano):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    example = Example("1", "hi", "oak")
    [answer] = build(prompt, Task("t"), model=nano, max_new_tokens=1, score_targets=True).answer([example])
    tokenizer = AutoTokenizer.from_pretrained(nano.path)
    model = AutoModelForCausalLM.from_pretrained(nano.path, dtype=torch.float32)  # as slmkit computes on a CPU
    chat = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "oak"}]
    prefix = tokenizer.apply_chat_template(chat[:1], add_generation_prompt=True)["input_ids"]
    ending = tokenizer.apply_chat_template(chat)["input_ids"][len(prefix) :]
    with torch.inference_mode():
        logits = model(torch.tensor([[*prefix, *ending]])).logits[0].float().log_softmax(-1)
    expected = sum(logits[len(prefix) - 1 + i, token].item() for i, token in enumerate(ending))
    assert answer.target_tokens == len(ending) and answer.target_logprob == pytest.approx(expected, rel=1e-4)
    assert perplexity([example], [answer]) == pytest.approx(2.718281828 ** (-expected / len(ending)), rel=1e-4)


def test_a_missing_engine_is_refused_when_the_system_is_built(nano, tmp_path):
    for system, keys, package in (
        (vllm, {"model": nano}, "vllm"),
        (llama_cpp, {"gguf": tmp_path}, "llama-cpp-python"),
    ):
        with pytest.raises(SlmkitError, match=package) as caught:
            build(system, LABELS, **keys)
        assert "openai_endpoint" in caught.value.fix


@pytest.mark.parametrize("name", ["prompt", "best_prompt", "openai_endpoint", "llama_cpp", "vllm"])
def test_a_system_that_only_prompts_a_model_is_the_reference_of_a_comparison(nano, prepared, tmp_path, name):
    gold = tmp_path / "gold" / "bank"
    questions = [Example(f"q{i}", f"question {i}", "top up") for i in range(20)]
    freeze_gold(gold, examples=questions, task=LABELS, source="made by this test")
    asked = Part("systems", name, prompt, {"model": nano})  # `prompt` under the other's name
    floor = Part("systems", "majority", majority, {"train": prepared})
    run = Run(tmp_path / "run")
    compare(run, systems={"floor": floor, "asked": asked}, gold=gold, limit=4)
    assert {row["reference"] for row in read_jsonl(run.dir / "arms.jsonl")} == {"asked"}
