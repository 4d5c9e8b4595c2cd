import hashlib
import re
from pathlib import Path

import pytest
from project_files import write

from slmkit.errors import SlmkitError
from slmkit.recipe.call import parts_in
from slmkit.runs.fingerprint import content_hash, part_key
from slmkit.runs.plan import find_errors, make_plan

STAGES = """
from slmkit.types import Input

def first(run, *, data: Input, size: int = 1): ...

def second(run, *, data: Input, rate: float = 0.1, device: str = "cpu"): ...
"""


@pytest.fixture(autouse=True)
def _two_recipes(project: Path) -> None:
    write(project / "mine.py", STAGES)
    write(project / "raw.txt", "one\n")
    write(project / "other.txt", "two\n")
    write(project / "recipes/a.yaml", "stage: ./mine.py:first\nwith: {data: raw.txt}\n")
    write(project / "recipes/b.yaml", "stage: ./mine.py:second\nwith: {data: a}\n")


def key(name: str = "b", **overrides: object) -> str:
    return make_plan(name, overrides=overrides, profile="tiny").target.key


def test_the_steps_of_a_plan_begin_with_the_inputs() -> None:
    assert [step.name for step in make_plan("b", profile="tiny").steps] == ["a", "b"]


def test_an_error_is_reported_for_every_recipe_that_reads_the_faulty_one(project: Path) -> None:
    write(project / "recipes/c.yaml", "stage: ./mine.py:first\nwith: {data: raw.txt, siz: 2}\n")
    write(project / "recipes/d.yaml", "stage: ./mine.py:second\nwith: {data: c}\n")
    write(project / "recipes/e.yaml", "stage: ./mine.py:second\nwith: {data: e}\n")
    mistakes = find_errors(["d", "a", "c", "e", "b"], profile="tiny")
    assert {name: error.where.split(":")[0] for name, error in mistakes.items()} == {
        "d": "recipes/c.yaml",
        "c": "recipes/c.yaml",
        "e": "recipes/e.yaml",
    }


def test_a_key_follows_arguments_inputs_seed_and_source(project: Path) -> None:
    keys = [key(), key(rate=0.2), key(size=2), make_plan("b", profile="tiny", seed=1).target.key]
    write(project / "raw.txt", "changed\n")
    keys.append(key())
    write(project / "raw.txt", "one\n")
    write(project / "mine.py", STAGES.replace('"cpu"): ...', '"cpu"): run.metric(done=1)'))
    keys.append(key())
    assert len(set(keys)) == len(keys)


def test_a_key_does_not_follow_names_times_or_device(project: Path) -> None:
    before = key()
    (project / "raw.txt").touch()
    assert key() == before
    assert key(device="cuda") == before
    (project / "raw.txt").rename(project / "renamed.txt")
    assert key(data="renamed.txt") == before


def test_a_key_follows_the_suffix_that_decides_how_a_file_is_read(project: Path) -> None:
    for name in ("raw.md", "raw.TXT"):
        write(project / name, "one\n")
    assert key(data="raw.md") != key() == key(data="raw.TXT")
    [row] = make_plan("a", overrides={"data": "raw.md"}, profile="tiny").target.inputs
    assert row["sha256"] == hashlib.sha256(b"one\n").hexdigest()


def test_a_command_line_key_reaches_the_recipe_that_reads_it() -> None:
    plan = make_plan("b", overrides={"data": "other.txt"}, profile="tiny")
    assert plan.step("a").call.arguments["data"].name == "other.txt"
    assert plan.step("b").call.arguments["data"].name == "a"


def test_an_unknown_key_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(SlmkitError, match="'rat'") as error:
        key(rat=1)
    assert "'rate'" in error.value.fix


def test_a_circle_of_recipes_is_refused_with_its_path(project: Path) -> None:
    write(project / "recipes/a.yaml", "stage: ./mine.py:first\nwith: {data: b}\n")
    with pytest.raises(SlmkitError, match="b -> a -> b"):
        make_plan("b", profile="tiny")


def test_an_error_in_an_input_recipe_is_found_before_anything_runs(project: Path) -> None:
    write(project / "recipes/a.yaml", "stage: ./mine.py:first\nwith: {data: raw.txt, sise: 3}\n")
    with pytest.raises(SlmkitError, match="'sise'") as error:
        make_plan("b", profile="tiny")
    assert error.value.where.startswith("recipes/a.yaml:2")


def test_a_folder_is_hashed_by_names_and_contents(tmp_path: Path) -> None:
    one, two = write(tmp_path / "x/a.txt", "1").parent, write(tmp_path / "y/a.txt", "1").parent
    assert content_hash(one) == content_hash(two)
    write(two / "b.txt", "2")
    assert content_hash(one) != content_hash(two)


def test_what_is_hidden_in_a_folder_is_not_hashed(tmp_path: Path) -> None:
    folder = write(tmp_path / ".data/a.txt", "1").parent
    before = content_hash(folder)
    write(folder / ".git/index", "moves")
    write(folder / "deep/.cache/x", "moves")
    assert content_hash(folder) == before
    write(folder / "deep/x", "counts")
    assert content_hash(folder) != before


def test_a_large_model_file_is_hashed_by_size_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slmkit.runs.fingerprint._WHOLE_MODEL_FILE", 3 * 2**20)
    big = tmp_path / "w.bin"
    hashes = set()
    for first, last in ((b"a", b"a"), (b"b", b"a"), (b"a", b"b")):
        big.write_bytes(first * 2**21 + b"m" * 2**20 + last * 2**21)
        hashes.add(content_hash(big, sample=True))
    assert len(hashes) == 3


def test_a_path_means_the_users_file_even_next_to_a_recipe_of_that_name(project: Path) -> None:
    folder = write(project / "ext/set/one.txt", "one\n").parent
    write(project / "ext/set.yaml", "stage: ./mine.py:first\nwith: {data: raw.txt}\n")
    write(project / "b", "one\n")
    for data in (str(folder), f"../{project.name}/ext/set", "recipes/../ext/set", "./b"):
        assert make_plan("a", overrides={"data": data}, profile="tiny").target.inputs[0]["kind"] == "file"


@pytest.mark.parametrize("path", ["../out", "recipes/../../out", "deep/../out", "{project}/out"])
def test_a_recipe_outside_recipes_is_given_by_its_file_and_its_runs_are_in_runs(project: Path, path: str) -> None:
    name = path.format(project=project)
    for folder in (project, project.parent, project / "recipes", project / "deep"):
        write(folder / "out.yaml", "stage: ./mine.py:first\nwith: {data: raw.txt}\n")
    with pytest.raises(SlmkitError, match=re.escape(f"{name!r}")):
        make_plan(name, profile="tiny")
    assert make_plan(f"{name}.yaml", profile="tiny").target.dir.parent == Path("runs/out")


def test_two_recipes_with_the_same_name_in_one_graph_are_refused(project: Path) -> None:
    write(project / "else/a.yaml", "stage: ./mine.py:second\nwith: {data: a}\n")
    write(project / "else/b.yaml", "stage: ./mine.py:second\nwith: {data: a}\n")
    with pytest.raises(SlmkitError, match="'a'") as error:
        make_plan("else/a.yaml", profile="tiny")
    assert error.value.where == "recipes/a.yaml and else/a.yaml"
    assert [step.name for step in make_plan("else/b.yaml", profile="tiny").steps] == ["a", "b"]
    write(project / "else/c.yaml", "stage: ./mine.py:second\nwith: {data: d}\n")
    write(project / "recipes/d.yaml", "stage: ./mine.py:second\nwith: {data: d}\n")
    with pytest.raises(SlmkitError, match="d -> d"):
        make_plan("else/c.yaml", profile="tiny")
    with pytest.raises(SlmkitError, match="d -> d"):
        make_plan("recipes/d.yaml", profile="tiny")


SYSTEMS = """
from slmkit.types import Input, SystemPart

def system(
    task,
    *,
    examples: Input | None = None,
    num_shots: int = 0,
    device: str = "cpu",
    embedder: str = "none",
    price_per_million_prompt_tokens: float = 0.0,
): ...

def ask(run, *, systems: dict[str, SystemPart], limit: int = 3): ...
"""


def test_a_part_has_a_key_of_its_own_options_and_inputs(project: Path) -> None:
    write(project / "own.py", SYSTEMS)
    both = "  plain: {use: './own.py:system'}\n  shots: {use: './own.py:system', examples: raw.txt, num_shots: 2}\n"
    write(project / "recipes/asks.yaml", "stage: ./own.py:ask\nwith:\n systems:\n" + both)

    def keys(**overrides: object) -> dict[str, str]:
        step = make_plan("asks", overrides=overrides, profile="tiny").steps[-1]
        return {at: part_key(step.inputs, at, part, seed=0) for at, part in parts_in(step.call.arguments)}

    before = keys()
    assert list(before) == ["systems.plain", "systems.shots"]
    assert keys(limit=9) == before
    assert (
        keys(**{"systems.plain.device": "cuda"}) != before
    )  # another device: cached latency and memory must not be reused
    paid = keys(**{"systems.plain.price_per_million_prompt_tokens": 1.0})
    assert paid != before  # a server without token counts is refused then
    assert keys(**{"systems.plain.price_per_million_prompt_tokens": 2.0}) == paid
    write(project / "own/embedder/weights", "1")
    embedded = keys(**{"systems.plain.embedder": "./own/embedder"})
    write(project / "own/embedder/weights", "2")
    assert keys(**{"systems.plain.embedder": "./own/embedder"}) != embedded
    changed = keys(**{"systems.shots.num_shots": 4})
    assert changed["systems.plain"] == before["systems.plain"] and changed["systems.shots"] != before["systems.shots"]
    write(project / "raw.txt", "changed\n")
    assert keys()["systems.plain"] == before["systems.plain"] and keys()["systems.shots"] != before["systems.shots"]
    write(project / "own.py", SYSTEMS + "# a comment\n")
    assert keys()["systems.plain"] == before["systems.plain"]
    write(project / "own.py", SYSTEMS.replace("): ...", "): return None", 1))
    assert keys()["systems.plain"] != before["systems.plain"]


def test_the_key_of_a_run_follows_the_code_of_the_parts_in_its_parts(project: Path) -> None:
    parts = "from slmkit.types import MetricPart\ndef inner(example, answer): return 1.0\n"
    write(project / "parts.py", parts + "def outer(task, *, metric: MetricPart): ...\n")
    write(project / "own.py", SYSTEMS)
    both = "systems: {one: {use: './parts.py:outer', metric: './parts.py:inner'}}"
    write(project / "recipes/asks.yaml", f"stage: ./own.py:ask\nwith: {{{both}}}\n")
    before = make_plan("asks", profile="tiny").target.key
    for old, new in [("1.0", "0.0"), ("metric: MetricPart): ...", "metric: MetricPart): return 1")]:
        text = (project / "parts.py").read_text()
        write(project / "parts.py", text.replace(old, new))
        assert make_plan("asks", profile="tiny").target.key != before, new
        write(project / "parts.py", text)
    assert make_plan("asks", profile="tiny").target.key == before


def test_the_command_line_has_priority_over_the_profile_inside_parts_too(project: Path) -> None:
    write(project / "own.py", SYSTEMS)
    write(project / "recipes/asks.yaml", "stage: ./own.py:ask\nwith: {systems: {plain: {use: './own.py:system'}}}\n")
    write(project / "configs/profiles/tiny.yaml", "device: from-profile\nlimit: 7\n")
    for overrides, device, limit in [({}, "from-profile", 7), ({"device": "given", "limit": 9}, "given", 9)]:
        arguments = make_plan("asks", overrides=overrides, profile="tiny").target.call.arguments
        assert (arguments["systems"]["plain"].arguments["device"], arguments["limit"]) == (device, limit)
