"""slmkit schema: the JSON schema accepts every shipped recipe and rejects mistakes."""

from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from project_files import Finished

from slmkit.cli.schema import recipe_schema
from slmkit.recipe import lookup
from slmkit.recipe.yaml_lines import read_yaml


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = recipe_schema(None)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_every_shipped_recipe_is_valid(validator: Draft202012Validator) -> None:
    for name in lookup.names("recipes"):
        path = lookup.find("recipes", name)
        assert path is not None
        assert not [f"{name}: {error.message}" for error in validator.iter_errors(read_yaml(path).value)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"titel": "x"},
        {"stage": "sftt"},
        {"stage": "sft", "with": {"learning_rat": 1}},
        {"stage": "sft", "with": {"lora": {"rr": 3}}},
        {"stage": "sft", "with": {"max_steps": "x"}},
        {"stage": "sft", "expect": {"validation_loss": 1}},
    ],
)
def test_a_mistake_is_not_valid(validator: Draft202012Validator, wrong: dict[str, Any]) -> None:
    assert not validator.is_valid(wrong)


def test_the_schema_is_json_with_and_without_the_option(slmkit: Callable[..., Finished]) -> None:
    assert slmkit("schema", "--json").json == slmkit("schema").json
