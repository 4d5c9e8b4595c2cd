"""Whether an answer is JSON that a JSON Schema accepts."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.metrics._read_json import read_json
from slmkit.types import Answer, Example, Input


def json_schema(example: Example, answer: Answer, *, schema: Input) -> float:
    """1 if the JSON in the answer is valid under `schema`, a file with a JSON Schema.

    schema {"type": "object", "required": ["city"]}, answer {"city": "Oslo"} -> 1.0; {"town": "Oslo"} -> 0.0.
    """
    value = read_json(answer.text)
    return float(value is not None and _validator(schema).is_valid(value))


@functools.cache
def _validator(path: Path) -> Any:
    try:
        from jsonschema import SchemaError
        from jsonschema.validators import validator_for
    except ImportError:
        raise SlmkitError("json_schema needs the package jsonschema", fix="pip install 'slmkit[metrics]'") from None
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
        kind = validator_for(schema)
        kind.check_schema(schema)
    except (json.JSONDecodeError, SchemaError) as error:
        reason = str(error).partition("\n")[0]
        raise SlmkitError(f"not a JSON Schema: {reason}", where=str(path), fix="see json-schema.org") from None
    return kind(schema)
