"""Metrics and Hugging Face `evaluate`, without a network: its modules as metrics, and our metrics as its modules."""

import inspect
import re
from pathlib import Path

import evaluate
import pytest
from project_files import write

import slmkit.metrics
from slmkit.errors import RefusedError, SlmkitError
from slmkit.evaluation.set_metrics import check_metrics, is_set_metric
from slmkit.metrics import _load, load
from slmkit.metrics.evaluate_module import hf_evaluate, hf_evaluate_set
from slmkit.metrics.labels import macro_f1
from slmkit.metrics.overlap import f1
from slmkit.types import Answer, Example

EXAMPLES = [Example("1", "?", "the oak table"), Example("2", "?", "elm", aliases=("an old tree",))]
ANSWERS = [Answer("1", "a table of oak"), Answer("2", "old tree")]
MODULE = """
import datasets
import evaluate


class Words(evaluate.Metric):
    def _info(self):
        text = datasets.Value("string", id="sequence")
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features={features})

    def _compute(self, predictions, references):
        {compute}
"""
ONE = 'datasets.Features({"predictions": text, "references": text})'
SEVERAL = '[datasets.Features({"predictions": text, "references": datasets.Sequence(text)}), ' + ONE + "]"
SHARED = (
    "hits = [len(set(p.split()) & set(r.split())) for p, r in zip(predictions, references)]\n"
    '        return {"shared": sum(hits) / len(hits), "each": hits, "name": "words"}'
)


def module(folder: Path, *, name: str = "words", features: str = ONE, compute: str = SHARED) -> Path:
    """A metric module as on the hub: a folder with a script of the same name."""
    text = MODULE.replace("{features}", features).replace("{compute}", compute)
    write(folder / name / f"{name}.py", text)
    return folder / name


@pytest.fixture(autouse=True, scope="module")
def _own_caches(tmp_path_factory):
    """Keeps `evaluate` offline and its copies of scripts in one temporary folder."""
    folder = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate.config, "HF_EVALUATE_OFFLINE", True)
        patch.setattr(evaluate.config, "HF_MODULES_CACHE", str(folder / "modules"))
        patch.setattr(evaluate.config, "HF_METRICS_CACHE", str(folder / "metrics"))
        yield


def test_a_module_gives_the_value_of_its_own_compute_for_one_answer_and_for_all(tmp_path):
    path = module(tmp_path)
    truth = evaluate.load(str(path))
    assert hf_evaluate(EXAMPLES[0], ANSWERS[0], path=path, key="shared") == 2.0
    assert hf_evaluate(EXAMPLES[0], ANSWERS[0], path=path / "words.py", key="each") == 2.0
    expected = truth.compute(predictions=["a table of oak", "old tree"], references=["the oak table", "elm"])
    assert hf_evaluate_set(EXAMPLES, ANSWERS, path=path, key="shared") == expected["shared"] == 1.0
    assert is_set_metric(hf_evaluate_set) and not is_set_metric(hf_evaluate)


def test_a_module_with_several_references_gets_equally_many_for_each_answer(tmp_path):
    joined = 'return {"right": float(references == [["the oak table"] * 2, ["elm", "an old tree"]])}'
    path = module(tmp_path, name="several", features=SEVERAL, compute=joined)
    assert hf_evaluate_set(EXAMPLES, ANSWERS, path=path) == 1.0


@pytest.mark.parametrize(
    ("options", "compute", "what", "fix"),
    [
        ({"key": "f1"}, SHARED, "'f1'", "shared, each"),
        ({}, SHARED, "2 numbers", "shared, each"),
        ({}, 'raise KeyError("inside")', "KeyError: 'inside'", ""),
        ({}, 'return {"x": float("nan")}', "x is nan", "key"),
        ({}, "][", "SyntaxError", ""),
        ({"hub_id": "exact_match"}, SHARED, "`path` or `hub_id`", "hub_id"),
    ],
)
def test_a_module_without_a_usable_value_is_refused_before_any_work(tmp_path, options, compute, what, fix):
    path = module(tmp_path, compute=compute)
    with pytest.raises(SlmkitError) as caught:
        check_metrics(lambda example, answer: hf_evaluate(example, answer, path=path, **options), None)
    assert what in caught.value.what and fix in caught.value.fix


def test_a_module_that_compares_numbers_and_a_folder_without_a_module_are_refused(tmp_path):
    numbers = ONE.replace("text", 'datasets.Value("int32")')
    with pytest.raises(SlmkitError, match="int32") as caught:
        hf_evaluate(EXAMPLES[0], ANSWERS[0], path=module(tmp_path, name="numbers", features=numbers))
    assert "macro_f1" in caught.value.fix
    write(tmp_path / "empty/other.py", "")
    with pytest.raises(SlmkitError, match="'empty'") as caught:
        hf_evaluate(EXAMPLES[0], ANSWERS[0], path=tmp_path / "empty")
    assert "empty.py" in caught.value.fix


def test_without_a_network_a_module_of_the_hub_is_refused_before_any_work(slmkit):
    done = slmkit("run", "loop/eval", "metric={use: hf_evaluate, hub_id: exact_match}")
    assert done.code == RefusedError.exit_code
    what, where, fix = done.error_lines
    assert "'exact_match'" in what and "exact_match" in where and "path:" in fix


def test_a_change_in_a_local_module_changes_the_key_of_the_run(slmkit, tmp_path):
    module(tmp_path)
    asked = ("run", "loop/eval", "metric={use: hf_evaluate, path: words, key: shared}", "--dry-run", "--json")
    before = slmkit(*asked)
    assert before.code == 0, before.err
    module(tmp_path, compute='return {"shared": 1.0}')
    assert slmkit(*asked).out != before.out


def test_our_metrics_compute_the_same_as_modules_of_evaluate():
    texts, references = [a.text for a in ANSWERS], [["the oak table"], ["elm", "an old tree"]]
    found = load("f1").compute(predictions=texts, references=references)
    assert found == {"f1": (f1(EXAMPLES[0], ANSWERS[0]) + f1(EXAMPLES[1], ANSWERS[1])) / 2}
    assert load("f1").compute(predictions=texts, references=["the oak table", "elm"]) == {"f1": found["f1"] - 1 / 2}
    labels = load("macro_f1")
    for one in ("a", "b"):
        labels.add(prediction="a", reference=one)
    examples = [Example("1", "", "a"), Example("2", "", "b")]
    assert labels.compute() == {"macro_f1": macro_f1(examples, [Answer("1", "a"), Answer("2", "a")])}
    assert load("numeric").compute(predictions=["9"], references=["10"], tolerance=1.0) == {"numeric": 1.0}


def test_our_metrics_combine_with_each_other_and_with_other_modules(tmp_path):
    other = evaluate.load(str(module(tmp_path)))
    both = evaluate.combine([load("f1"), load("exact_match"), other])
    found = both.compute(predictions=["oak"], references=["Oak."])
    assert found == {"f1": 1.0, "exact_match": 1.0, "shared": 0.0, "each": [0], "name": "words"}
    assert evaluate.combine([load("f1")], force_prefix=True).compute(predictions=["x"], references=["x"]) == {
        "f1_f1": 1.0
    }


def test_load_refuses_a_metric_that_needs_more_than_texts_and_suggests_the_nearest_name():
    with pytest.raises(SlmkitError, match="'recall'") as caught:
        load("recall")
    assert "more_metrics" in caught.value.fix
    with pytest.raises(SlmkitError, match="'exact_mach'") as caught:
        load("exact_mach")
    assert "exact_match" in caught.value.fix
    with pytest.raises(SlmkitError, match="'fields_of'"):
        load("fields_of")


def test_every_metric_that_needs_more_than_texts_is_listed():
    more = re.compile(r"\.(confidence|passages|target_logprob|relevant|input|conversation)\b")
    found = set()
    for path in Path(slmkit.metrics.__file__).parent.glob("[!_]*.py"):
        if more.search(source := path.read_text()):
            found |= set(re.findall(r"^def ([a-z]\w*)\(", source, re.MULTILINE))
    assert found == _load._NEED_MORE_THAN_TEXT
    assert "tolerance" in inspect.signature(_load._metric("numeric")).parameters
