from pathlib import Path

import pytest
from project_files import write

from slmkit.errors import SlmkitError
from slmkit.recipe.layer import Layer
from slmkit.recipe.load_recipe import load_recipe
from slmkit.recipe.lookup import find_recipe
from slmkit.recipe.yaml_lines import read_value, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("2e-4", 2e-4),
        ("12:30", "12:30"),
        ("012", 12),
        ("true", True),
        ("[1, a]", [1, "a"]),
        ("null", None),
        ("~", None),
        ('"3"', "3"),
        ("{a: {b: 2}}", {"a": {"b": 2}}),
        ("{}", {}),
        ("{Body}", "{Body}"),
        ("{Body} {Question}", "{Body} {Question}"),
        ("{premise}: {hypothesis}", "{premise}: {hypothesis}"),
    ],
)
def test_yaml_means_what_it_looks_like(text: str, value: object) -> None:
    assert read_value(text) == value
    assert type(read_value(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "Say the label #now", "#now", "a\nb", "&a b", "*a", "--- x", "---", "Classify: which?", "- x", "a: ", "| x",
        " led and trailed ", "2 of 3", "1 #one", "Notes # {passages} {input}", "2024-01-02", "!important", "x: [1",
    ],
)  # fmt: skip
def test_text_on_the_command_line_is_kept_as_typed(text: str) -> None:
    assert read_value(text) == text


def test_every_value_knows_its_line(project: Path) -> None:
    layer = read_yaml(write(project / "a.yaml", "title: t\nwith:\n  x: 1\n  deep:\n    - one\n    - {y: 2}\n"))
    assert layer.where(("with", "x")) == "a.yaml:3: with.x"
    assert layer.where(("with", "deep", 1, "y")) == "a.yaml:6: with.deep.1.y"


def test_mappings_are_merged_and_other_values_replaced() -> None:
    low = Layer({"a": {"x": 1, "y": [1, 2]}, "b": 1}, {("a", "x"): "low:1", ("a", "y"): "low:2"})
    low.merge(Layer({"a": {"y": [3]}, "c": 4}, {("a", "y"): "high:9"}))
    assert low.value == {"a": {"x": 1, "y": [3]}, "b": 1, "c": 4}
    assert low.where(("a", "y")) == "high:9: a.y"
    assert low.where(("a", "x")) == "low:1: a.x"


def test_a_different_part_does_not_inherit_options() -> None:
    low = Layer({"retriever": {"use": "bm25", "k1": 2}})
    low.merge(Layer({"retriever": {"use": "dense"}}))
    assert low.value == {"retriever": {"use": "dense"}}


def test_the_profile_section_of_a_recipe_overrides_the_recipe(project: Path) -> None:
    values = "family: tickets, num_examples: 2, split: train"
    write(
        project / "recipes/r.yaml", f"stage: world\nwith: {{{values}}}\nprofiles:\n  gpu: {{with: {{split: live}}}}\n"
    )
    tiny, gpu = (load_recipe("r", profile=p).layer for p in ("tiny", "gpu"))
    assert tiny.value["with"] == {"family": "tickets", "num_examples": 2, "split": "train"}
    assert gpu.value["with"] == {"family": "tickets", "num_examples": 2, "split": "live"}
    assert gpu.where(("with", "num_examples")).startswith("recipes/r.yaml:2")
    assert gpu.where(("with", "split")).startswith("recipes/r.yaml:4")


def test_breaks_are_merged_only_on_request(project: Path) -> None:
    write(
        project / "recipes/r.yaml",
        "stage: world\nwith: {num_examples: 2}\nexpect: {rows: [1, 2]}\n"
        "breaks: {with: {num_examples: 0}, red: [rows]}\n",
    )
    assert load_recipe("r", profile="tiny").layer.value["with"]["num_examples"] == 2
    assert load_recipe("r", profile="tiny", breaks=True).layer.value["with"]["num_examples"] == 0


def test_a_part_given_by_name_accepts_a_dotted_option() -> None:
    layer = Layer({"with": {"retriever": "bm25"}})
    layer.set(("with", "retriever", "k1"), 2.0, "command line")
    assert layer.value == {"with": {"retriever": {"use": "bm25", "k1": 2.0}}}


@pytest.mark.parametrize(
    ("text", "line", "offending"),
    [
        ("stage: sft\nstage: dpo\n", 2, "stage"),
        ("stage: sft\nwith:\n\t- a\n", 3, "YAML"),
        ("stage: sft\nwith: {a: [1}\n", 2, "']'"),
        ("- a\n- b\n", 1, "list"),
        ("", 1, "nothing"),
        ("stage: sft\ntitel: x\n", 2, "'titel'"),
        ("stage: sft\nwith: 3\n", 2, "with: 3"),
        ("stage: sft\nexpect:\n  a: [1, 2]\n  b: [9, 1]\n", 4, r"expect\.b.* \[9, 1\]"),
        ("stage: sft\nexpect:\n  a: 0.9\n", 3, r"expect\.a.* 0\.9"),
        ("stage: sft\nexpect:\n  a: [low, 1]\n", 3, r"expect\.a.* \['low', 1\]"),
        ("stage: sft\nprofiles:\n  gpu: {expect: {a: [1]}}\n", 3, r"expect\.a.* \[1\]"),
        ("stage: sft\nwith: !!python/object:os.x [a]\n", 2, "python/object:os.x"),
        ("stage: sft\nwith:\n  a: !mine 3\n", 3, "!mine"),
        ("stage: sft\nwith: &all\n  a: *all\n", 2, "anchor"),
        ("stage: sft\nwith:\n  ? {a: 1}\n  : 2\n", 3, "key"),
        ("stage: sft\nwith:\n  ? [a, b]\n  : !!set {x, y}\n", 3, "key"),
        ("stage: sft\n1: a\n", 2, "key 1"),
        ("title: !!bool maybe\n", 0, "maybe"),
        ("title: a\x07b\n", 0, "YAML"),
        ("stage: sft\nwith: {a: " + "[" * 60 + "]" * 60 + "}\n", 2, "40 levels"),
        ("stage: sft\nprofiles:\n  tinny: {with: {}}\n", 3, "'tinny'"),
        ("stage: sft\nprofiles: {tiny: 5}\n", 2, r"profiles\.tiny.* 5"),
        ("stage: sft\nprofiles:\n  tiny: {with: [1]}\n", 3, r"with.* \[1\]"),
        ("stage: sft\nprofiles:\n  gpu: {wiht: {}}\n", 3, "'wiht'"),
        ("stage: sft\nbreaks:\n  redd: [value]\n", 3, "'redd'"),
        ("stage: sft\nbreaks: {with: 5}\n", 2, "with.* 5"),
        ("stage: sft\nbreaks: {red: value}\n", 2, "red.* 'value'"),
        ("stage: sft\nexpect: {a: [0, 1]}\nbreaks: {with: {b: 1}, red: [b]}\n", 3, r"breaks\.red .* 'b'"),
        ("stage: sft\nexpect: {a: [0, 1]}\nbreaks: {with: {b: 1}}\n", 3, "'red'"),
        ("stage: sft\nexpect: {a: [0, 1]}\nbreaks: {red: [a]}\n", 3, "'with'"),
        ("stage: sft\nexpect:\n  1: [0, 1]\n", 3, "1"),
        ("title: no stage\n", 0, "'r'"),
        ("a: " + "[" * 500 + "]" * 500 + "\n", 0, "nested"),
    ],
)
def test_invalid_yaml_is_refused_with_its_line(project: Path, text: str, line: int, offending: str) -> None:
    write(project / "recipes/r.yaml", text)
    with pytest.raises(SlmkitError, match=offending) as error:
        load_recipe("r", profile="tiny")
    assert error.value.where.startswith(f"recipes/r.yaml:{line}" if line else "recipes/r.yaml")
    assert error.value.fix


def test_a_mapping_merged_from_an_anchor_keeps_its_lines(project: Path) -> None:
    path = write(project / "recipes/r.yaml", "stage: sft\nsweep: &few\n  a: 1\n  b: 2\nwith:\n  <<: *few\n  b: 3\n")
    layer = read_yaml(path)
    assert layer.value["with"] == {"a": 1, "b": 3}
    assert layer.where(("with", "a")) == "recipes/r.yaml:3: with.a"
    assert layer.where(("with", "b")) == "recipes/r.yaml:7: with.b"


def test_what_looks_like_a_tag_is_text_on_the_command_line() -> None:
    for text in ("!important", "!!bool x", "="):
        assert read_value(text) == text


def test_an_invalid_date_is_text_on_the_command_line_and_an_error_in_a_file(tmp_path: Path) -> None:
    assert read_value("2024-13-45") == "2024-13-45"
    (tmp_path / "r.yaml").write_text("title: 2024-13-45\n")
    with pytest.raises(SlmkitError, match="month"):
        read_yaml(tmp_path / "r.yaml")


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("title: a\0b\n", "control character"),
        ("stage: sft\n---\nstage: dpo\n", "one document"),
        ("stage: sft\nwith:\n\ta: 1\n", "spaces, not tabs"),
    ],
)
def test_invalid_yaml_gets_a_specific_fix(project: Path, text: str, fix: str) -> None:
    write(project / "recipes/r.yaml", text)
    with pytest.raises(SlmkitError) as error:
        load_recipe("r", profile="tiny")
    assert fix in error.value.fix


def test_a_recipe_has_one_name_however_its_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "recipes" / "mine"  # an outer folder named recipes does not count
    path = write(project / "recipes/a/b.yaml", "stage: sft\n")
    write(project / "c.yaml", "stage: sft\n")
    monkeypatch.chdir(project)
    assert {find_recipe(str(given))[0] for given in ("a/b", "recipes/a/b.yaml", "./recipes/a/../a/b.yaml", path)} == {
        "a/b"
    }
    assert {find_recipe(str(given))[0] for given in ("c.yaml", project / "c.yaml")} == {"c"}
