"""Tools, marks for the loss, system turns and judged answers through prepare, training and prompting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from project_files import build, call, read_jsonl

import slmkit
from slmkit.console import console
from slmkit.errors import RefusedError, SlmkitError
from slmkit.models.load import load_tokenizer
from slmkit.recipe.signature import call_arguments
from slmkit.rows.loss_mask import IGNORED, label_chats, read_chats
from slmkit.runs.run_folder import Run
from slmkit.stages import distill, dpo, grpo, kto, orpo, reward, sft
from slmkit.stages.prepare import prepare
from slmkit.systems.prompt import prompt
from slmkit.training import config
from slmkit.types import Answer, Example, ModelRef, Task

ASSETS = Path(slmkit.__file__).parent / "assets"
NANO = ModelRef("nano", str(ASSETS / "nano"))
TOOLED = (  # Hermes' syntax, as in Qwen2.5
    "{{- '<|bos|>' -}}{%- if tools -%}{{- '<|system|> tools: ' -}}"
    "{%- for t in tools -%}{{- t.function.name ~ ' ' -}}{%- endfor -%}{{- '<|end|>' -}}{%- endif -%}"
    "{%- for m in messages -%}{{- '<|' ~ m.role ~ '|> ' ~ m.content -}}{%- for c in m.tool_calls or [] -%}"
    '{{- \'<tool_call>{"name": "\' ~ c.function.name ~ \'", "arguments": \' ~ (c.function.arguments | tojson) -}}'
    "{{- '}</tool_call>' -}}{%- endfor -%}{{- '<|end|>' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)
GEMMA = (  # refuses a system turn, and anything but alternating turns
    "{{- '<|bos|>' -}}{%- if messages[0].role == 'system' -%}{{ raise_exception('System role not supported') }}"
    "{%- endif -%}{%- for m in messages -%}{%- if (m.role == 'user') != (loop.index0 % 2 == 0) -%}"
    "{{ raise_exception('roles must alternate') }}{%- endif -%}"
    "{{- '<|' ~ m.role ~ '|> ' ~ (m.content | trim) ~ '<|end|>' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)
TOOLS = [{"type": "function", "function": {"name": "find", "description": "finds", "parameters": {}}}]


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    import torch

    monkeypatch.setattr(console, "quiet", True)
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """nano with another chat template."""

    def make(template: str, *, asset: str = "nano") -> ModelRef:
        folder = tmp_path_factory.mktemp("model")
        for file in (ASSETS / asset).iterdir():
            if file.name != "chat_template.jinja":
                (folder / file.name).symlink_to(file)
        (folder / "chat_template.jinja").write_text(template)
        return ModelRef("M", str(folder))

    return make


@pytest.fixture(scope="module")
def tooled(model) -> ModelRef:
    return model(TOOLED)


@pytest.fixture(scope="module")
def gemma(model) -> ModelRef:
    return model(GEMMA)


@pytest.fixture
def no_weights(monkeypatch):
    """Loading weights is an error."""

    def load(*args, **options):
        raise AssertionError("the weights were loaded")

    monkeypatch.setattr(config, "load_model", load)


def file_of(folder, rows, name="rows.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def user(text):
    return {"role": "user", "content": text}


def said(text, **marks):
    return {"role": "assistant", "content": text, **marks}


def called(item):
    function = {"name": "find", "arguments": json.dumps({"item": item})}
    return {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "type": "function", "function": function}]}


def tool_chats(count=20):
    things = ("kettle", "lamp", "chair", "cup")
    return [
        {"messages": [user(f"See about the {things[i % 4]} of room {i}"), called(f"{things[i % 4]} {i}"),
                      {"role": "tool", "tool_call_id": "c", "content": f'{{"n": {i}}}'}, said(f"There are {i}.")],
         "tools": json.dumps(TOOLS), "parallel_tool_calls": False}
        for i in range(count)
    ]  # fmt: skip


def notes_of(run):
    return " | ".join(row["text"] for row in read_jsonl(run.path("notes.jsonl")))


def mask_of(run):
    """The first row's tokens with loss, as text."""
    return "".join(row["token"] for row in read_jsonl(run.path("mask.jsonl")) if row["trained"])


def test_tools_and_calls_are_in_the_prepared_rows_their_mask_and_their_length(tmp_path, tooled):
    run = Run(tmp_path / "run")
    prepare(run, data=file_of(tmp_path, tool_chats()), model=tooled)
    assert mask_of(run).replace(" ", "").startswith('<tool_call>{"name":"find","arguments":{"item":"kettle0"}}')
    assert "offer tools" in notes_of(run) and "not used: parallel_tool_calls" in notes_of(run)
    rows = read_jsonl(run.path("train.jsonl"))
    assert rows[0]["tools"] == TOOLS
    assert rows[0]["messages"][1]["tool_calls"][0]["function"]["arguments"] == {"item": "kettle 0"}
    tokenizer = load_tokenizer(tooled)
    chats = read_chats(run.path("train.jsonl")) + read_chats(run.path("validation.jsonl"))
    labelled = label_chats(tokenizer, chats)
    assert max(len(row.input_ids) for row in labelled) == run.metrics["length_max"]
    assert all("tools: find" in tokenizer.decode(row.input_ids) for row in labelled)


def test_rows_whose_calls_cannot_be_rendered_are_refused_by_prepare_and_by_training(tmp_path, no_weights):
    data = file_of(tmp_path, tool_chats())
    with pytest.raises(RefusedError, match="does not render tools") as refused:
        prepare(Run(tmp_path / "run"), data=data, model=NANO)
    assert refused.value.where.startswith(f"{data}:1 (row ")
    with pytest.raises(SlmkitError, match="does not render tools") as refused:
        call(sft.sft, Run(tmp_path / "sft"), data=data, model=NANO, max_steps=1, device="cpu")
    assert refused.value.where == "rows.jsonl:1"
    rows = [{key: value for key, value in row.items() if key != "tools"} for row in tool_chats()]
    with pytest.raises(SlmkitError, match="does not render tool calls"):
        call(sft.sft, Run(tmp_path / "no"), data=file_of(tmp_path, rows), model=NANO, max_steps=1, device="cpu")


def test_a_row_far_down_that_the_template_refuses_is_named_before_the_weights_are_loaded(tmp_path, gemma, no_weights):
    rows = [{"messages": [user(f"where is cup number {i}?"), said(f"in room {i}.")]} for i in range(300)]
    rows[250]["messages"].insert(0, user("hello"))
    data = file_of(tmp_path, rows)
    with pytest.raises(SlmkitError, match="must alternate") as refused:
        prepare(Run(tmp_path / "run"), data=data, model=gemma)
    assert refused.value.where.startswith(f"{data}:251")
    for stage, keys in ((sft.sft, {}), (grpo.grpo, {"rewards": [_length]}), (distill.distill, {"teacher": NANO})):
        with pytest.raises(SlmkitError, match="must alternate") as refused:
            call(stage, Run(tmp_path / stage.__name__), data=data, model=gemma, device="cpu", **keys)
        assert refused.value.where.startswith("rows.jsonl:251")


def _length(example: Example, answer: Answer) -> float:
    return float(len(answer.text))


def test_answers_of_weight_0_are_shown_without_loss_and_said(tmp_path):
    rows = [
        {"messages": [user(f"Where is cup {i}?"), said("On Mars.", weight=0), user("No."), said("Here.", weight=1)]}
        for i in range(30)
    ]
    rows += [{"messages": [user("Where is the pan, then?"), said("On Mars.", train=False)]}]
    run = Run(tmp_path / "run")
    prepare(run, data=file_of(tmp_path, rows), model=NANO, steps=[])
    assert mask_of(run).strip() == "Here.<|end|>"
    assert "30 answers in 30 rows have weight 0" in notes_of(run)
    [dropped] = read_jsonl(run.path("dropped.jsonl"))
    assert dropped["reason"] == "no answer to train on: all have weight 0"
    tokenizer = load_tokenizer(NANO)
    for row in label_chats(tokenizer, read_chats(run.path("train.jsonl"))):
        assert tokenizer.decode([label for label in row.labels if label != IGNORED]).strip() == "Here.<|end|>"


def test_a_system_turn_is_folded_alike_in_training_and_in_prompts(tmp_path, gemma):
    system = {"role": "system", "content": "Be brief."}
    rows = [{"messages": [system, user(f"Where is cup {i}?"), said("In the attic.")]} for i in range(30)]
    run = Run(tmp_path / "run")
    prepare(run, data=file_of(tmp_path, rows), model=gemma, steps=[])
    assert "no system turn" in notes_of(run)
    tokenizer = load_tokenizer(gemma)
    [row] = label_chats(tokenizer, read_chats(run.path("train.jsonl"), limit=1))
    example = Example("a", "Where is cup 0?", "In the attic.", messages=(system, user("Where is cup 0?")))
    asked = build(prompt, Task("t", instruction="Answer."), model=gemma, max_new_tokens=1)
    [answer] = asked.answer([example])
    ids = row.input_ids[: next(i for i, label in enumerate(row.labels) if label != IGNORED)]
    assert answer.prompt_tokens == len(ids)
    assert "Be brief." in tokenizer.decode(ids)
    assert "no system turn" in " ".join(asked.notes)


def test_slmkits_own_instruction_is_folded_too(tmp_path, gemma):
    data = tmp_path / "rows.csv"
    data.write_text("text,label\n" + "".join(f"where is cup {i}?,{('attic', 'barn')[i % 2]}\n" for i in range(40)))
    run = Run(tmp_path / "run")
    prepare(run, data=data, model=gemma, steps=[])
    tokenizer = load_tokenizer(gemma)
    [row, *_] = label_chats(tokenizer, read_chats(run.path("train.jsonl"), limit=1))
    text = tokenizer.decode(row.input_ids).replace(" ", "")
    assert text.startswith("<|bos|><|user|>Answerwiththeonelabelthatfitsthetext.\n\nwhereiscup")


def pair_rows(count=40, *, prompt="which cup is it?"):
    return [
        {"system": "Be brief.", "prompt": f"{prompt} {i}", "chosen": [called("red")], "rejected": [said(f"blue {i}")],
         "tools": TOOLS} for i in range(count)
    ]  # fmt: skip


def test_pairs_with_tools_and_system_turns_are_prepared_and_measured(tmp_path, tooled):
    run = Run(tmp_path / "run")
    prepare(run, data=file_of(tmp_path, pair_rows()), model=tooled, steps=[])
    assert "tool_call" in mask_of(run)
    first = read_jsonl(run.path("train.jsonl"))[0]
    assert first["prompt"][0] == {"role": "system", "content": "Be brief."} and first["tools"] == TOOLS
    assert run.metrics["length_max"] > 10


def test_pairs_above_max_length_follow_on_overflow_and_are_dropped_or_refused_in_training(tmp_path, no_weights):
    rows = [{"prompt": f"which cup is number {i}?", "chosen": "red", "rejected": "blue"} for i in range(200)]
    rows[7]["rejected"] = "blue " * 50
    data = file_of(tmp_path, rows)
    options = {"data": data, "model": NANO, "max_length": 40, "steps": []}
    run = Run(tmp_path / "drop")
    prepare(run, **options, on_overflow="drop")
    [dropped] = read_jsonl(run.path("dropped.jsonl"))
    assert (dropped["line"], dropped["reason"]) == (8, "longer than 40 tokens")
    rows = [{**row, "rejected": "blue " * 50} for row in rows]
    with pytest.raises(RefusedError, match="cannot be split"):
        prepare(Run(tmp_path / "split"), **{**options, "data": file_of(tmp_path, rows)}, on_overflow="split")


def test_one_pair_in_a_hundred_that_is_too_long_is_dropped_with_a_table(tmp_path):
    from slmkit.training.prepare_preference import load_pairs

    rows = [{"prompt": f"which cup is number {i}?", "chosen": "red", "rejected": "blue"} for i in range(200)]
    rows[7]["rejected"] = "blue " * 50
    run, training = Run(tmp_path / "run"), config.Training(max_length=40, device="cpu")
    loaded = load_pairs(run, training, data=file_of(tmp_path, rows), model=NANO, on_overflow="error")
    assert len(loaded.pairs) == len(loaded.columns) == 199 and loaded.longest <= 40
    assert [row["id"] for row in read_jsonl(run.path("too_long_train.jsonl"))] == ["rows.jsonl:8"]


def test_pairs_that_are_too_long_are_refused_if_many_or_dropped_on_request(tmp_path):
    from slmkit.training.prepare_preference import load_pairs

    rows = [{"prompt": f"which cup is number {i}?", "chosen": "red", "rejected": "blue"} for i in range(20)]
    for row in rows[:5]:
        row["rejected"] = "blue " * 50
    data, training = file_of(tmp_path, rows), config.Training(max_length=40, device="cpu")
    with pytest.raises(RefusedError, match="5 of 20 train rows") as refused:
        load_pairs(Run(tmp_path / "error"), training, data=data, model=NANO, on_overflow="error")
    assert "on_overflow=drop" in refused.value.fix
    run = Run(tmp_path / "drop")
    assert len(load_pairs(run, training, data=data, model=NANO, on_overflow="drop").pairs) == 15
    assert len(read_jsonl(run.path("too_long_train.jsonl"))) == 5
    with pytest.raises(RefusedError, match="15 of 15") as refused:
        none = file_of(tmp_path, rows[5:])
        load_pairs(
            Run(tmp_path / "all"),
            config.Training(max_length=8, device="cpu"),
            data=none,
            model=NANO,
            on_overflow="drop",
        )
    assert "on_overflow" not in refused.value.fix


@pytest.mark.parametrize("stage", ["sft", "dpo", "orpo", "kto", "reward"])
def test_what_happens_to_rows_that_are_too_long_is_a_key_of_the_stage(stage):
    from slmkit.recipe.lookup import load_stage
    from slmkit.recipe.signature import parameters

    assert "on_overflow" in parameters(load_stage(stage))


def test_judged_answers_of_one_class_are_said_by_prepare_and_refused_by_kto(tmp_path, no_weights):
    rows = [{"prompt": f"where is cup {i}?", "completion": "here", "label": True} for i in range(40)]
    data = file_of(tmp_path, rows)
    run = Run(tmp_path / "run")
    prepare(run, data=data, model=NANO, steps=[])
    assert "one class only: 40 rows with label true" in notes_of(run)
    for path in (data, run.dir):
        with pytest.raises(RefusedError, match="one class only"):
            call(kto.kto, Run(tmp_path / "kto"), data=path, model=NANO, max_steps=1, device="cpu")
    mixed = file_of(tmp_path, [{**row, "label": i >= 20} for i, row in enumerate(rows)])  # sorted by label
    kto.check(**call_arguments(kto.kto, {"data": mixed, "model": NANO}))


OTHERS = {"kto": kto, "orpo": orpo, "reward": reward}


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize(
    ("module", "stage"),
    [
        (dpo, dpo.dpo),
        *(pytest.param(module, getattr(module, name), marks=pytest.mark.long) for name, module in OTHERS.items()),
    ],
)
def test_pairs_of_calls_train_in_every_preference_method(tmp_path, tooled, module, stage, monkeypatch):
    run = Run(tmp_path / "run")
    shown = _steps_shown(monkeypatch, run)
    keys = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}
    call(stage, run, data=file_of(tmp_path, pair_rows(8)), model=tooled, max_steps=2, device="cpu", **keys)
    logged = [row["loss"] for row in read_jsonl(run.path("log.jsonl")) if "loss" in row]
    assert shown == logged and len(logged) == 2


def _steps_shown(monkeypatch, run):
    """The losses that the progress line shows."""
    shown: list[float] = []
    progress = run.progress

    def recorded(*args, **options):
        ticker = progress(*args, **options)

        class Recorded:
            def __enter__(self):
                bar = ticker.__enter__()
                advance = bar.advance

                def record(n=1, *, tokens=0, **values):
                    shown.append(values["loss"])
                    advance(n, tokens=tokens, **values)

                bar.advance = record
                return bar

            def __exit__(self, *error):
                return ticker.__exit__(*error)

        return Recorded()

    monkeypatch.setattr(run, "progress", recorded)
    return shown


@pytest.mark.usefixtures("libraries")
def test_rewards_see_the_calls_of_prompts_with_tools(tmp_path, tooled):
    seen = []

    def watched(example: Example, answer: Answer) -> float:
        seen.append(example)
        return float(len(seen))

    rows = [{"messages": row["messages"][:2], "tools": row["tools"]} for row in tool_chats(8)]
    run = Run(tmp_path / "run")
    keys = {"per_device_train_batch_size": 4, "num_generations": 4, "max_new_tokens": 4}
    keys |= {"data": file_of(tmp_path, rows), "model": tooled, "rewards": [watched], "max_steps": 1, "device": "cpu"}
    call(grpo.grpo, run, **keys)
    calls = [row["messages"][1]["tool_calls"][0]["function"] for row in rows]
    targets = {json.dumps({**call, "arguments": json.loads(call["arguments"])}) for call in calls}
    assert {example.target for example in seen} <= targets
    assert all(example.tools and example.input.startswith("See about the") for example in seen)


def test_a_call_is_as_long_and_as_likely_as_its_template_writes_it(tooled):
    target = json.dumps({"name": "find", "arguments": {"item": "the old kettle " * 12}})
    example = Example("a", "See about the kettle", target, tools=tuple(TOOLS))
    asked = build(prompt, Task("t", longest_targets=(target,)), model=tooled, score_targets=True)
    [answer] = asked.answer([example])
    written = load_tokenizer(tooled)(f" <tool_call>{target}</tool_call><|end|>", add_special_tokens=False)["input_ids"]
    assert answer.target_tokens == len(written) > len(load_tokenizer(tooled)(target)["input_ids"]) + 4
    [note] = [note for note in asked.notes if "max_new_tokens=auto" in note]
    assert int(note.split("auto is ")[1].split(":")[0]) >= 1.25 * len(written)
