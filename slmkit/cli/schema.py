"""slmkit schema: the JSON schema of a recipe file, for editors."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from slmkit.cli.options import AsJson
from slmkit.recipe import lookup
from slmkit.recipe.load_recipe import KEYS
from slmkit.recipe.validate import json_schema


def schema(
    stage: Annotated[
        str | None, typer.Argument(metavar="[STAGE]", help="Only the keys of this stage.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the JSON schema of recipes, for editors.

    `slmkit schema > schema.json` lets an editor complete and check recipe files.
    """
    print(json.dumps(recipe_schema(stage), indent=None if as_json else 1))


def recipe_schema(stage: str | None) -> dict[str, Any]:
    """The JSON schema of a recipe file, in which `stage` decides the keys of `with`; or of one stage's keys."""
    if stage is not None:
        return json_schema(lookup.load_stage(stage))
    stages = [*lookup.part_files("stages"), *lookup.part_files("lessons")]
    texts: dict[str, Any] = {key: {"type": ["string", "null"]} for key in ("title", "teaches")}
    lines = {"type": ["string", "array", "null"], "items": {"type": "string"}}
    texts |= {"source": lines, "honest": lines}
    bounds = {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": ["number", "null"]}}
    properties = {
        **texts,
        "seeds": {"type": "array", "items": {"type": "string"}},
        "lesson": _LESSON_SCHEMA,
        "stage": {"type": "string", "enum": stages},
        "with": {"type": ["object", "null"]},
        "sweep": {"type": "object"},
        "expect": {"type": "object", "additionalProperties": bounds},
        "breaks": {"type": "object", "properties": {"with": {"type": "object"}, "red": {"type": "array"}}},
        "profiles": {"type": "object", "propertyNames": {"enum": lookup.names("configs/profiles")}},
    }
    assert set(properties) == set(KEYS)
    chosen = [
        {
            "if": {"properties": {"stage": {"const": name}}, "required": ["stage"]},
            "then": {"properties": {"with": {"$ref": f"#/$defs/{name}"}}},
        }
        for name in stages
    ]
    definitions = {}
    for name in stages:
        stage_schema = json_schema(lookup.load_stage(name))
        stage_schema.pop("required", None)  # a profile may set them
        definitions[name] = json.loads(json.dumps(stage_schema).replace('"#/$defs/', f'"#/$defs/{name}/$defs/'))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "slmkit recipe",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "allOf": chosen,
        "$defs": definitions,
    }


_LINES = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3}
_LESSON_SCHEMA = {
    "type": "object",
    "properties": {
        "idea": {"type": "string"},
        "question": {"type": "string"},
        "explore": _LINES,
        "read": _LINES,
        "scores": {"type": "object", "additionalProperties": {"type": "array", "minItems": 5, "maxItems": 5}},
    },
    "required": ["idea", "question", "explore"],
    "additionalProperties": False,
}
