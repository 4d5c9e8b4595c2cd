from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from slmkit.errors import SlmkitError
from slmkit.recipe.bind import Fallback, bind, bind_part
from slmkit.recipe.call import Call, Part, Reference, plain, resolve
from slmkit.recipe.layer import Layer
from slmkit.recipe.load_recipe import Recipe
from slmkit.recipe.signature import call_arguments
from slmkit.recipe.validate import json_schema
from slmkit.recipe.yaml_lines import read_value
from slmkit.types import Fraction, Input, Keys, MetricPart, Model, PositiveInt, SystemPart


@dataclass(frozen=True, kw_only=True)
class Group:
    r: PositiveInt = 16
    target_modules: str | list[str] = "all-linear"


@dataclass(frozen=True, kw_only=True)
class Shared:
    max_steps: int = -1
    inner: Group = Group()


def stage(  # type: ignore[no-untyped-def]
    run,
    *,
    data: Input,
    model: Model,
    group: Group | None = Group(),
    learning_rate: float | Literal["auto"] = "auto",
    names: list[str] = [],  # noqa: B006
    systems: dict[str, SystemPart] | None = None,
    metric: MetricPart | None = None,
    limit: int | None = None,
    share: Fraction | Literal["auto"] = "auto",
    shared: Keys[Shared] = Shared(max_steps=5),
): ...


@pytest.fixture(autouse=True)
def _stage_is_found(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    monkeypatch.setattr("slmkit.recipe.lookup.load_stage", lambda name: stage)
    (project / "rows.jsonl").write_text("{}\n")


def call(fill: dict[str, object] | None = None, **values: object) -> Call:
    lines = {("stage",): "r.yaml:1", **{("with", key): f"r.yaml:{i + 3}" for i, key in enumerate(values)}}
    recipe = Recipe("r", Path("r.yaml"), Layer({"stage": "s", "with": values}, lines), "tiny")  # type: ignore[arg-type]
    return bind(recipe, [Fallback(fill or {}, lambda name: "profile")])


def test_defaults_and_values_are_bound() -> None:
    bound = call(data="rows.jsonl", model="nano", learning_rate=2e-4)
    assert bound.arguments["learning_rate"] == 2e-4
    assert bound.arguments["group"] == Group()
    assert bound.origins["learning_rate"] == "r.yaml:5"
    assert bound.origins["limit"] == "default"


def test_a_group_is_a_dataclass_with_its_own_keys() -> None:
    assert call(data="rows.jsonl", model="nano", group={"r": 4}).arguments["group"] == Group(r=4)
    assert call(data="rows.jsonl", model="nano", group=None).arguments["group"] is None


def test_the_fields_of_shared_keys_are_keys_of_the_stage() -> None:
    bound = call({"inner": {"r": 2}}, data="rows.jsonl", model="nano", max_steps=3)
    assert (bound.arguments["max_steps"], bound.arguments["inner"]) == (3, Group(r=2))
    assert bound.origins["max_steps"] == "r.yaml:5"
    assert bound.origins["inner"] == "profile"
    assert "shared" not in bound.arguments
    assert call_arguments(stage, bound.arguments)["shared"] == Shared(max_steps=3, inner=Group(r=2))


def test_a_stage_sets_its_own_defaults_for_shared_keys() -> None:
    assert call(data="rows.jsonl", model="nano").arguments["max_steps"] == 5
    assert call_arguments(stage, {})["shared"] == Shared(max_steps=5)


def test_a_profile_fills_what_is_unset_in_stages_and_in_parts() -> None:
    bound = call({"model": "nano", "max_new_tokens": 7}, data="rows.jsonl", systems={"a": "prompt"})
    part = bound.arguments["systems"]["a"]
    assert bound.arguments["model"].name == "nano"
    assert part.arguments["max_new_tokens"] == 7
    assert part.arguments["model"].name == "nano"
    assert bound.origins["systems.a.max_new_tokens"] == "profile"


def test_a_part_is_bound_recursively_and_labelled_with_its_options() -> None:
    rag = {"use": "rag", "documents": "rows.jsonl", "retriever": {"use": "bm25", "k1": 1.2}, "top_k": 2}
    bound = call({"model": "nano"}, data="rows.jsonl", systems={"rag": rag})
    part = bound.arguments["systems"]["rag"]
    assert isinstance(part, Part)
    assert part.arguments["retriever"].arguments["k1"] == 1.2
    assert "top_k=2" in part.label
    assert plain(part)["retriever"]["use"] == "bm25"


def test_options_without_a_name_belong_to_the_default_part() -> None:
    rag = {"use": "rag", "documents": "rows.jsonl", "retriever": {"k1": 1.2}}
    retriever = (
        call({"model": "nano"}, data="rows.jsonl", systems={"a": rag}).arguments["systems"]["a"].arguments["retriever"]
    )
    assert (retriever.name, retriever.arguments["k1"]) == ("bm25", 1.2)


def test_null_removes_a_system() -> None:
    bound = call({"model": "nano"}, data="rows.jsonl", systems={"a": "prompt", "b": None})
    assert list(bound.arguments["systems"]) == ["a"]


def test_references_become_paths_and_models() -> None:
    bound = call(data="rows.jsonl", model="nano")
    found = resolve(bound.arguments, lambda name: Path("runs") / name)
    assert found["data"] == Path("rows.jsonl")
    assert found["model"].name == "nano"
    assert Path(found["model"].path).is_dir()
    assert [reference for _, reference in bound.references()] == [bound.arguments["data"], bound.arguments["model"]]
    assert isinstance(bound.arguments["data"], Reference)


@pytest.mark.parametrize(
    ("given", "offending", "where", "fix"),
    [
        ({"learning_ratee": 1}, "'learning_ratee'", "r.yaml:5: with.learning_ratee", "'learning_rate'"),
        ({"group": {"rr": 4}}, "'rr'", "r.yaml:5: with.group.rr", "'r'"),
        ({"group": {"r": "x"}}, "'x'", "with.group.r", "integer"),
        ({"group": {"r": 0}}, "group.r: 0", "r.yaml:5: with.group.r", "at least 1"),
        ({"share": 1.5}, "share: 1.5", "r.yaml:5: with.share", "at most 1, or 'auto'"),
        ({"learning_rate": "fast"}, "'fast'", "with.learning_rate", "number, or 'auto'"),
        ({"max_steps": "x"}, "'x'", "r.yaml:5: with.max_steps", "integer"),
        ({"max_step": 3}, "'max_step'", "r.yaml:5: with.max_step", "'max_steps'"),
        ({"inner": {"s": 3}}, "'s'", "with.inner.s", "r, target_modules"),
        ({"limit": True}, "limit: True", "with.limit", "integer"),
        ({"limit": "3"}, "limit: '3'", "with.limit", "integer"),
        ({"names": ["a", 1]}, "names.1: 1", "with.names.1", "string"),
        ({"metric": "exact_mach"}, "'exact_mach'", "with.metric", "'exact_match'"),
        ({"systems": {"a": {"num_shots": 3}}}, "system", "with.systems.a", "use: NAME"),
        ({"systems": {"a": {"use": "prompt", "num_shot": 3}}}, "'num_shot'", "with.systems.a", "'num_shots'"),
        ({"data": 3}, "data: 3", "r.yaml:3: with.data", "file, folder or recipe"),
        ({"data": "row.jsonl"}, "'row.jsonl'", "with.data", "'rows.jsonl'"),
        ({"model": "nanoo"}, "'nanoo'", "with.model", "'nano'"),
    ],
)
def test_mistakes_name_key_line_and_nearest_valid_name(
    given: dict[str, object], offending: str, where: str, fix: str
) -> None:
    with pytest.raises(SlmkitError) as error:
        call(**{"data": "rows.jsonl", "model": "nano", **given})
    assert offending in error.value.what
    assert where in error.value.where
    assert fix in error.value.fix


def test_each_field_of_a_group_has_its_own_origin() -> None:
    origins = call(data="rows.jsonl", model="nano", group={"r": 4}).origins
    assert (origins["group.r"], origins["group.target_modules"]) == ("r.yaml:5", "default")


def test_a_missing_value_is_named() -> None:
    with pytest.raises(SlmkitError, match="'data'") as error:
        call(model="nano")
    assert error.value.where == "r.yaml:1"


def test_the_schema_lists_every_key() -> None:
    schema = json_schema(stage)
    assert set(schema["properties"]) == {
        "data", "model", "group", "learning_rate", "names", "systems", "metric", "limit", "share", "max_steps",
        "inner",
    }  # fmt: skip
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("fill", "given", "where"),
    [
        ({"limit": "abc"}, {}, "profile: limit"),
        ({"model": "nano", "max_new_tokens": 4.5}, {"systems": {"a": "prompt"}}, "profile: systems.a.max_new_tokens"),
        ({"metric": "exact_mach"}, {}, "profile: metric"),
        ({"inner": {"r": "x"}}, {}, "profile: inner"),
    ],
)
def test_a_wrong_value_of_the_profile_is_located_in_the_profile(
    fill: dict[str, object], given: dict[str, object], where: str
) -> None:
    with pytest.raises(SlmkitError) as error:
        call(fill, **{"data": "rows.jsonl", "model": "nano", **given})
    assert error.value.where == where


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_infinity_and_nan_are_refused(value: float) -> None:
    with pytest.raises(SlmkitError, match=f"learning_rate: {value}") as error:
        call(data="rows.jsonl", model="nano", learning_rate=value)
    assert "finite" in error.value.fix


def test_a_misspelt_system_gets_the_nearest_name_beside_it() -> None:
    systems = {"rag": {"use": "rag", "documents": "rows.jsonl"}, "rga": {"top_k": 7}}
    with pytest.raises(SlmkitError, match="system") as error:
        call({"model": "nano"}, data="rows.jsonl", systems=systems)
    assert error.value.where.endswith("with.systems.rga") and "'rag'" in error.value.fix


def test_a_tilde_is_expanded_to_the_home_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(project))
    (project / "folder").mkdir()
    found = call(data="~/rows.jsonl", model="~/folder").arguments
    assert (found["data"].path, found["model"].path) == (project / "rows.jsonl", project / "folder")
    assert found["data"].name == "~/rows.jsonl"


def test_a_part_is_bound_without_a_recipe() -> None:
    part = bind_part("systems", "prompt", {"model": "nano", "num_shots": 2, "examples": "rows.jsonl"})
    assert (part.name, part.arguments["num_shots"], part.arguments["model"].name) == ("prompt", 2, "nano")
    for options, offending, where in (
        ({"model": "nano", "num_shot": 2}, "'num_shot'", "with.system.num_shot"),
        ({"model": "nanoo"}, "'nanoo'", "with.system.model"),
        ({}, "'model'", "with.system"),
    ):
        with pytest.raises(SlmkitError, match=offending) as error:
            bind_part("systems", "prompt", options)
        assert error.value.where == where


@pytest.mark.parametrize(("key", "known"), [("num_shots", True), ("num_shotz", False)])
def test_keys_of_the_recipes_own_part_are_left_to_it_but_misspelt_ones_are_refused(key: str, known: bool) -> None:
    path = ("with", "systems", "a")
    values = {"data": "rows.jsonl", "model": "nano", "systems": {"a": {"use": "prompt", key: 4}}}
    layer = Layer({"stage": "s", "with": values}, {(*path, key): "r.yaml:5"})
    layer.set((*path, "use"), "majority", "command line")
    layer.set((*path, "train"), "rows.jsonl", "command line")
    recipe = Recipe("r", Path("r.yaml"), layer, "tiny")  # type: ignore[arg-type]
    if known:
        assert set(bind(recipe, []).arguments["systems"]["a"].options) == {"train"}
        return
    with pytest.raises(SlmkitError, match="system 'prompt' has no key 'num_shotz'") as caught:
        bind(recipe, [])
    assert caught.value.where == "r.yaml:5: with.systems.a.num_shotz"
    assert "num_shots" in caught.value.fix


@pytest.mark.parametrize(("key", "value", "fix"), [("names", "a", "[ONE, TWO]"), ("systems", ["a"], "{NAME: VALUE}")])
def test_a_list_or_mapping_that_is_missing_is_shown_as_it_is_written(key: str, value: object, fix: str) -> None:
    with pytest.raises(SlmkitError) as caught:
        call(data="rows.jsonl", model="nano", **{key: value})
    assert fix in caught.value.fix


def test_two_systems_of_one_name_on_the_command_line_are_refused() -> None:
    with pytest.raises(SlmkitError, match="has a key twice"):
        read_value("{a: {use: majority}, a: {use: linear_svm}}")
