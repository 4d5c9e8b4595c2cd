"""JSON is read whole or not at all, values are compared by type and value, records as records, lists in order."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from slmkit.metrics._read_json import read_json
from slmkit.metrics.fields import json_fields, json_match, json_valid
from slmkit.metrics.json_schema import json_schema
from slmkit.metrics.slots import slot_f1
from slmkit.types import Answer, Example

LEGS = '{"legs": [{"from": "Porto", "to": "Bern"}, {"from": "Ghent", "to": "Kiel"}]}'


def scored(metric, target, text, **options):
    aliases = options.pop("aliases", ())
    return metric(Example("1", "?", target, aliases=aliases), Answer("1", text), **options)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("As source [1] says, I cannot tell.", None),
        ("[1] says so.", None),
        ("Both say so.[1][2]", None),
        ('Per [1]: {"city": "Oslo"}', {"city": "Oslo"}),
        ('[1]: {"city": "Oslo"}', {"city": "Oslo"}),
        ('Of [3, 5] I take {"city": "Oslo"}', {"city": "Oslo"}),
        ("[1] " * 50 + '{"city": "see [1]"}', {"city": "see [1]"}),
        ("[1]", [1]),
        ("```json\n[1]\n```", [1]),
        ("Answer: [3]", [3]),
        ("They are [3, 5].", [3, 5]),
        ("[]", []),
        (f"[{'1' * 5000}]", None),
    ],
)
def test_a_citation_is_not_read_as_json(text, value):
    assert read_json(text) == value


@pytest.mark.parametrize(
    "text",
    [
        LEGS,
        f"\n {LEGS}\n",
        f"```json\n{LEGS}\n```",
        f"```{LEGS}```",
        f"Here you are:\n```json\n{LEGS}\n```\nThe field {{legs}} lists them.",
        f"For {{name}} [note]: {LEGS}. Done.",
        f"The cut block:\n```json\n{LEGS}",
    ],
)
def test_one_complete_value_is_read_alone_in_a_block_or_in_prose(text):
    assert read_json(text) == json.loads(LEGS)


@pytest.mark.parametrize(
    "text",
    [
        *(LEGS[:end] for end in range(len(LEGS))),
        *(LEGS[start:] for start in range(1, len(LEGS))),
        LEGS + "}",
        f'{LEGS}\n{{"legs": []}}',
        f"```\n{LEGS}\n```\nor\n```\n{LEGS}\n```",
        f"```json\n{LEGS[:-2]}\n```",
        f"Sure: {LEGS[:-1]}",
        "{'a': {\"b\": 1}}",
        '{a: {"b": 1}}',
        '{"a": 1,}',
        '{"a": 1, "a": 2}',
        '{"x": {"a": 1, "a": 1}}',
        '{"a": NaN}',
        '[{"a": Infinity}]',
        '{"a": 1e400}',
        '{"a": "line\nbreak"}',
        "[" * 100_000,
        "[" * 200 + "]" * 200,
        '{"a":' * 5000 + "1" + "}" * 5000,
    ],
)
def test_a_value_that_is_cut_repeated_or_not_json_is_none(text):
    assert read_json(text) is None
    assert scored(json_valid, LEGS, text) == scored(json_match, LEGS, text) == scored(json_fields, LEGS, text) == 0.0


@pytest.mark.parametrize(
    ("target", "text", "score"),
    [
        ('{"n": 1}', '{"n": 1.0}', 1.0),
        ('{"n": 100}', '{"n": 1e2}', 1.0),
        ('{"n": 9007199254740993}', '{"n": 9007199254740992}', 0.0),
        ('{"n": 1}', '{"n": true}', 0.0),
        ('{"n": 0}', '{"n": false}', 0.0),
        ('{"n": 1}', '{"n": "1"}', 0.0),
        ('{"n": null}', '{"n": "null"}', 0.0),
        ('{"n": null}', "{}", 0.0),
        ('{"n": []}', "{}", 0.0),
        ('{"n": []}', '{"n": {}}', 0.0),
        ('{"n": ""}', '{"n": "*"}', 0.0),
        ('{"a.b": 1}', '{"a": {"b": 1}}', 0.0),
        ('{"a": [1]}', '{"a": 1}', 0.0),
        ('["a", "b"]', '["b", "a"]', 0.0),
        ('["a", "a", "b"]', '["a", "b", "b"]', 0.0),
        ('[["a", "b"], ["c"]]', '[["a"], ["b", "c"]]', 0.0),
        ('{"at": "Oslo.", "b": 2}', '{"b": 2, "at": "oslo"}', 1.0),
        ('{"é": 1}', '{"e\u0301": 1}', 1.0),
        (LEGS, LEGS.replace("Bern", "x").replace("Kiel", "Bern").replace("x", "Kiel"), 0.0),
    ],
)
def test_json_is_compared_by_type_value_record_and_order(target, text, score):
    assert scored(json_match, target, text) == score == float(scored(json_fields, target, text) == 1.0)
    assert scored(json_match, target, target) == scored(json_match, text, text) == 1.0


def test_lists_are_sets_if_the_recipe_says_so():
    assert scored(json_match, '["a", "b", "b"]', '["b", "a", "b"]', ordered=False) == 1.0
    assert scored(json_match, '["a", "b", "b"]', '["a", "a", "b"]', ordered=False) == 0.0
    turned = json.dumps({"legs": json.loads(LEGS)["legs"][::-1]})
    assert scored(json_match, LEGS, turned) == 0.0 and scored(json_match, LEGS, turned, ordered=False) == 1.0
    swapped = LEGS.replace("Bern", "x").replace("Kiel", "Bern").replace("x", "Kiel")
    assert scored(json_match, LEGS, swapped, ordered=False) == 0.0


def test_items_of_lists_are_paired_so_that_most_fields_agree():
    swapped = LEGS.replace("Bern", "x").replace("Kiel", "Bern").replace("x", "Kiel")
    assert scored(json_fields, LEGS, swapped) == scored(json_fields, LEGS, swapped, ordered=False) == 0.5
    first_missing = json.dumps({"legs": json.loads(LEGS)["legs"][1:]})
    assert scored(json_fields, LEGS, first_missing) == pytest.approx(2 * 2 / (4 + 2))
    assert scored(json_fields, '["a", "b", "c"]', '["a", "c", "b"]') == pytest.approx(2 / 3)
    assert scored(json_fields, '["a", "b", "c"]', '["a", "c", "b"]', ordered=False) == 1.0
    # three records, the best pairing is neither the first nor the greedy one: 2 + 1 fields
    target, text = '[{"a": 1, "b": 1}, {"a": 1, "b": 2}]', '[{"a": 1, "b": 2}, {"a": 1, "b": 3}]'
    assert scored(json_fields, target, text, ordered=False) == pytest.approx(2 * 3 / 8)
    assert scored(json_fields, target, text) == pytest.approx(2 * 2 / 8)


def test_slots_in_records_are_pairs_of_name_and_value():
    target = '[{"slot": "from", "value": "Oslo"}, {"slot": "to", "value": "Rome"}]'
    exchanged = '[{"slot": "from", "value": "Rome"}, {"slot": "to", "value": "Oslo"}]'
    examples = [Example("1", "?", target)]
    assert slot_f1(examples, [Answer("1", exchanged)]) == 0.5
    assert slot_f1(examples, [Answer("1", json.dumps(json.loads(target)[::-1]))]) == 1.0


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.text("ab*", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(st.text("ab", max_size=2), values, max_size=3) | st.lists(values, max_size=3)


@given(value=objects)
def test_every_json_object_or_array_is_read_as_json_reads_it(value):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert read_json(text) == read_json(f"```json\n{text}\n```") == json.loads(text)


@given(value=objects, seed=st.randoms(use_true_random=False))
def test_sets_are_equal_in_any_order(value, seed):
    def mixed(item):
        if isinstance(item, list):
            return seed.sample([mixed(one) for one in item], len(item))
        return {key: mixed(one) for key, one in item.items()} if isinstance(item, dict) else item

    target, text = json.dumps(value), json.dumps(mixed(value))
    assert scored(json_match, target, text, ordered=False) == 1.0
    assert scored(json_fields, target, text, ordered=False) == 1.0


@given(one=objects, other=objects)
def test_json_fields_are_symmetric_and_1_only_for_a_match(one, other):
    target, text = json.dumps(one), json.dumps(other)
    for ordered in (True, False):
        score = scored(json_fields, target, text, ordered=ordered)
        assert score == scored(json_fields, text, target, ordered=ordered)
        assert (score == 1.0) == (scored(json_match, target, text, ordered=ordered) == 1.0)


SCHEMAS = [
    {"type": "array", "items": {"type": ["integer", "boolean"]}},
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "number", "multipleOf": 0.5}}},
    {"anyOf": [{"type": "array", "uniqueItems": True}, {"additionalProperties": {"type": ["string", "null"]}}]},
    {"enum": [[1], {"a": 1}, []]},
]


@given(value=objects, which=st.sampled_from(range(len(SCHEMAS))))
def test_json_schema_agrees_with_the_package_jsonschema(value, which, tmp_path_factory):
    schema = tmp_path_factory.getbasetemp() / f"schema{which}.json"
    schema.write_text(json.dumps(SCHEMAS[which]))
    truth = Draft202012Validator(SCHEMAS[which]).is_valid(value)
    assert scored(json_schema, "", json.dumps(value), schema=schema) == float(truth)
