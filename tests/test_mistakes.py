"""Mistakes typed on purpose: each ends at once with its exit code and three lines, without a traceback or result."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from project_files import REPOSITORY, Finished, write

Slmkit = Callable[..., Finished]
ROWS = "text,label\n" + "".join(f"question number {i} on the {i % 3} thing,label {i % 3}\n" for i in range(40))


def refused(finished: Finished, code: int, *parts: str) -> None:
    """The exit code, at most three lines that contain the parts, no traceback, no result."""
    assert finished.code == code, finished.err
    assert 2 <= len(finished.error_lines) <= 3, finished.err
    assert "Traceback" not in finished.err
    message = "\n".join(finished.error_lines)
    for part in parts:
        assert part in message, message
    assert not list(Path("runs").rglob("result.json"))


@pytest.fixture(autouse=True)
def _within_a_second() -> Iterator[None]:
    """In CPU time, so that a busy machine does not decide."""
    start = time.process_time()
    yield
    assert time.process_time() - start < 1


def test_a_misspelt_key_of_the_command_line(slmkit: Slmkit) -> None:
    refused(slmkit("train", "learning_ratee=1e-4"), 3, "learning_ratee", "'learning_rate'")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("lr", "learning_rate"),
        ("epochs", "num_train_epochs"),
        ("batch_size", "per_device_train_batch_size"),
        ("max_seq_length", "max_length"),
        ("lora_r", "lora.r"),
        ("dataset", "data"),
    ],
)
def test_a_key_by_the_name_that_other_tools_give_it(slmkit: Slmkit, typed: str, meant: str) -> None:
    refused(slmkit("train", f"{typed}=4"), 3, f"did you mean {meant!r}?")


def test_a_misspelt_key_of_a_recipe(slmkit: Slmkit, project: Path) -> None:
    write(project / "recipes/r.yaml", "stage: world\nwith:\n  familly: tickets\n")
    refused(slmkit("run", "r"), 3, "recipes/r.yaml:3", "'familly'", "'family'")
    write(project / "recipes/s.yaml", "stage: sft\nwith:\n  data: world/tickets\n  lora: {rank: 8}\n")
    refused(slmkit("run", "s"), 3, "recipes/s.yaml:4", "'rank'", "'r'")


def test_a_wrong_type(slmkit: Slmkit, project: Path) -> None:
    write(project / "recipes/r.yaml", "stage: world\nwith:\n  num_examples: many\n")
    refused(slmkit("run", "r"), 3, "recipes/r.yaml:3", "'many'")


def test_an_unknown_recipe(slmkit: Slmkit) -> None:
    refused(slmkit("run", "loop/trian"), 3, "'loop/trian'", "'loop/train'")


def test_an_unknown_stage(slmkit: Slmkit, project: Path) -> None:
    write(project / "recipes/r.yaml", "title: x\nstage: sfft\n")
    refused(slmkit("run", "r"), 3, "recipes/r.yaml:2", "'sfft'", "'sft'")


def test_an_unknown_command(slmkit: Slmkit) -> None:
    refused(slmkit("trian"), 3, "'trian'", "'train'")
    refused(slmkit("xyzzy"), 3, "'xyzzy'", "slmkit --help")


def test_a_key_typed_as_an_option(slmkit: Slmkit) -> None:
    refused(slmkit("compare", "--ladder", "bar=0.9"), 3, "--ladder", "ladder=VALUE")
    refused(slmkit("train", "--learning-rate", "1e-4"), 3, "learning_rate=VALUE")
    assert "=VALUE" not in slmkit("train", "--dry_run").err + slmkit("ls", "--foo").err


def test_an_unknown_profile(slmkit: Slmkit) -> None:
    refused(slmkit("train", "--profile", "gpuu"), 3, "'gpuu'", "'gpu'")


def test_an_unknown_model(slmkit: Slmkit) -> None:
    refused(slmkit("train", "model=nanoo"), 3, "'nanoo'", "'nano'")


def test_brackets_and_colons_in_a_value_are_printed_unchanged(slmkit: Slmkit) -> None:
    refused(slmkit("train", "model=a:dog:b"), 3, "'a:dog:b'")
    refused(slmkit("train", "model=[red]x"), 3, "[red]x")


def test_an_unknown_part(slmkit: Slmkit) -> None:
    refused(slmkit("compare", "metric=exact_mach"), 3, "'exact_mach'", "'exact_match'")


def test_broken_yaml(slmkit: Slmkit, project: Path) -> None:
    write(project / "recipes/r.yaml", "stage: world\nwith: {family: [tickets}\n")
    refused(slmkit("run", "r"), 3, "recipes/r.yaml:2")


def test_recipes_that_read_each_other(slmkit: Slmkit, project: Path) -> None:
    write(project / "recipes/a.yaml", "stage: prepare\nwith: {data: b}\n")
    write(project / "recipes/b.yaml", "stage: prepare\nwith: {data: a}\n")
    refused(slmkit("run", "a"), 3, "a -> b -> a")


def test_a_missing_file(slmkit: Slmkit, project: Path) -> None:
    write(project / "tickets.csv", ROWS)
    refused(slmkit("loop", "data=ticket.csv"), 3, "ticket.csv", "'tickets.csv'")


def test_an_empty_csv(slmkit: Slmkit, project: Path) -> None:
    write(project / "empty.csv", "")
    refused(slmkit("loop", "data=empty.csv"), 3, "empty.csv")


def test_a_csv_with_only_a_header(slmkit: Slmkit, project: Path) -> None:
    write(project / "head.csv", "text,label\n")
    refused(slmkit("loop", "data=head.csv"), 3, "head.csv")


def test_a_csv_in_latin_1_with_the_wrong_encoding_named(slmkit: Slmkit, project: Path) -> None:
    (project / "latin.csv").write_bytes(ROWS.replace("question", "frage für").encode("latin-1"))
    refused(slmkit("loop", "data=latin.csv", "encoding=utf-8"), 3, "latin.csv", "encoding")


def test_a_ragged_row(slmkit: Slmkit, project: Path) -> None:
    write(project / "ragged.csv", ROWS.replace("question number 7 on", "question, number 7, on"))
    refused(slmkit("loop", "data=ragged.csv"), 3, "ragged.csv:9")


def test_a_missing_label_column(slmkit: Slmkit, project: Path) -> None:
    write(project / "rows.csv", ROWS)
    refused(slmkit("loop", "data=rows.csv", "label_column=lable"), 3, "lable", "label")


def test_a_file_without_labels(slmkit: Slmkit, project: Path) -> None:
    write(project / "rows.csv", "a,b,c\n" + "".join(f"x{i},y{i},z{i}\n" for i in range(40)))
    refused(slmkit("loop", "data=rows.csv"), 3, "rows.csv", "label_column")


def test_a_jsonl_with_a_broken_line(slmkit: Slmkit, project: Path) -> None:
    lines = [f'{{"input": "q{i}", "target": "a{i}"}}' for i in range(30)]
    write(project / "rows.jsonl", "\n".join([*lines[:11], '{"input": "q", ', *lines[12:]]) + "\n")
    refused(slmkit("loop", "data=rows.jsonl"), 3, "rows.jsonl:12")


def test_too_few_rows_for_a_gold_set(slmkit: Slmkit, project: Path) -> None:
    write(project / "few.csv", "\n".join(ROWS.splitlines()[:6]) + "\n")
    refused(slmkit("loop", "data=few.csv"), 3, "few.csv", "rows")


def test_a_gold_set_changed_after_freezing(slmkit: Slmkit, project: Path) -> None:
    write(project / "tickets.csv", ROWS)
    assert slmkit("prepare", "data=tickets.csv", "--dry-run").code == 0
    assert slmkit("loop", "data=tickets.csv", "--dry-run").code == 0
    assert not (project / "gold").exists()  # a dry run freezes nothing
    slmkit("new", "mine", "data=tickets.csv")
    examples = project / "mine/gold/own-tickets/examples.jsonl"
    examples.write_text(examples.read_text().replace("label 1", "label 2"))
    refused(slmkit("prepare", "data=tickets.csv", "gold=mine/gold/own-tickets"), 4, "mine/gold/own-tickets")


def test_no_permission_to_write(slmkit: Slmkit, project: Path) -> None:
    write(project / "runs", "a file where the folder should be")  # not even root can write below a file
    found = slmkit("prepare")
    assert found.code == 4
    assert "runs" in found.error_lines[1]
    assert "Traceback" not in found.err


FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.argv = ["slmkit", "prepare"]
from slmkit.cli.main import main
main()
"""


@pytest.mark.long
def test_a_full_disk(project: Path) -> None:
    """The kernel refuses to write past 20 kB, like a full disk, halfway through the run."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    run = [sys.executable, "-c", FULL_DISK]
    ended = subprocess.run(run, cwd=project, env=environment, capture_output=True, text=True, check=False)
    refused(Finished(ended.returncode, ended.stdout, ended.stderr), 1, "disk", "runs/")
    assert not list(project.rglob("*.tmp"))


def test_an_error_as_json(slmkit: Slmkit) -> None:
    done = slmkit("train", "model=nanoo", "--json")
    assert done.code == 3
    assert done.json["exit_code"] == 3
    assert "nanoo" in done.json["error"]["what"]


@pytest.mark.parametrize(
    "words",
    [
        "run loop/prepare max_rows=-5",
        "run foundations/01-what-is-a-model limit=0",
        "train lora.r=-4",
        "train learning_rate=3",
        "train warmup_ratio=7",
        "train per_device_train_batch_size=0",
        "train max_length=0",
        "train replay_ratio=1",
        "run methods/grpo temperature=0",
        "train early_stopping_patience=0",
        "compare limit=0",
        "compare systems.RAG.top_k=0",
        "run methods/merge num_prompts=0",
    ],
)
def test_a_number_outside_its_range(slmkit: Slmkit, words: str) -> None:
    key, _, value = words.rpartition(" ")[2].partition("=")
    refused(slmkit(*words.split()), 3, key.rpartition(".")[2], value)


def test_a_negative_number_of_steps(slmkit: Slmkit) -> None:
    refused(slmkit("train", "max_steps=-3"), 3, "max_steps", "-3")


def test_a_recipe_of_another_stage_is_not_run(slmkit: Slmkit, project: Path) -> None:
    for verb in ("eval", "compare"):
        refused(slmkit(verb, "loop/train"), 3, "'sft'", f"'{verb}'")
    assert not (project / "runs").exists()


def test_a_data_file_in_place_of_a_recipe(slmkit: Slmkit, project: Path) -> None:
    write(project / "my.csv", "text,label\na,b\n")
    refused(slmkit("prepare", "my.csv"), 3, "data=my.csv")


def test_a_key_given_twice(slmkit: Slmkit) -> None:
    refused(slmkit("train", "max_steps=3", "max_steps=4"), 3, "max_steps=4")


def test_a_gold_set_by_its_bare_name(slmkit: Slmkit, project: Path) -> None:
    write(project / "gold/branch/card.yaml", "name: branch\n")
    refused(slmkit("eval", "gold=branch"), 3, "gold/branch", "examples.jsonl")
    refused(slmkit("eval", "gold=brunch"), 3, "'brunch'", "'gold/branch'")


def test_a_gold_set_without_its_card(slmkit: Slmkit, project: Path) -> None:
    write(project / "gold/mine/examples.jsonl", '{"id": "1", "input": "a", "target": "b"}\n')
    refused(slmkit("gold", "check", "mine"), 3, "card.yaml", "gold/mine")


def test_a_file_where_a_folder_is_needed(slmkit: Slmkit, project: Path) -> None:
    write(project / "mine.yaml", "model_name_or_path: nano\nstage: sft\nfinetuning_type: lora\n")
    write(project / "recipes", "a file where the folder should be")
    refused(slmkit("import", "mine.yaml"), 1, "recipes")
    refused(slmkit("import", "mine.yaml", "--out", "a/b"), 1, "recipes")
    assert "recipes" in slmkit("import", "mine.yaml", "--json").json["error"]["where"]


def test_an_unreadable_recipe_does_not_stop_check(
    slmkit: Slmkit, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project / "recipes/good.yaml", "stage: world\nwith: {family: tickets}\n")
    write(project / "recipes/shut.yaml", "stage: world\n")
    read_text = Path.read_text

    def shut(path: Path, *args: object, **options: object) -> str:
        """Like a file without read permission, which root could read."""
        if path.name == "shut.yaml":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read_text(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", shut)
    refused(slmkit("run", "shut"), 1, "shut.yaml", "Permission denied")
    done = slmkit("check", "shut", "good", "--json").json
    assert (done["checked"], [one["recipe"] for one in done["mistakes"]]) == (2, ["shut"])
    assert "shut" in slmkit("ls", "recipes").out


def test_odd_files_beside_recipes_do_not_stop_ls(slmkit: Slmkit, project: Path) -> None:
    write(project / "recipes/one.yaml", "title: One\nstage: world\nwith: {family: tickets}\n")
    (project / "recipes/latin.yaml").write_bytes("title: für\nstage: world\n".encode("latin-1"))
    (project / "recipes/dir.yaml").mkdir()
    (project / "recipes/.#one.yaml").symlink_to("nobody@nowhere.1")
    listed = slmkit("ls", "recipes", "--json").json["recipes"]
    assert listed["one"] == "One"
    assert "latin" in listed
    assert not {"dir", ".#one"} & set(listed)


def test_check_covers_sweeps_and_profiles(slmkit: Slmkit, project: Path) -> None:
    world = "stage: world\nwith: {family: tickets}\n"
    write(project / "recipes/key.yaml", world + "sweep:\n  num_exampels: [1, 2]\n")
    write(project / "recipes/kind.yaml", world + "sweep:\n  num_examples: 5\n")
    write(project / "recipes/value.yaml", world + "sweep:\n  num_examples: [8, many]\n")
    write(project / "recipes/right.yaml", world + "sweep:\n  num_examples: 8..16\n")
    write(project / "configs/profiles/mine.yaml", "device: cpu\nmax_stepss: 3\n")
    done = slmkit("check", "key", "kind", "value", "right", "--json")
    assert done.code == 3
    where = {one["recipe"]: one["where"].partition(": ")[0] for one in done.json["mistakes"]}
    lines = {name: f"recipes/{name}.yaml:4" for name in ("key", "kind", "value")}
    assert where == {**lines, "profile mine": "configs/profiles/mine.yaml:2"}
    fixes = " ".join(one["fix"] for one in done.json["mistakes"])
    assert "'max_steps'" in fixes and "'num_examples'" in fixes


OWN_STAGES = """
class Odd: ...
def untyped(run, *, x=1): ...
def unknown(run, *, x: "Nothing" = 1): ...
def odd(run, *, x: Odd | None = None): ...
def default(run, *, x: int = "a"): ...
def alone(*, x: int = 1): ...
def second(run, y, *, x: int = 1): ...
def right(run, *, x: int = 1): ...
"""


def test_a_signature_that_no_recipe_can_call_is_refused_with_its_line(slmkit: Slmkit, project: Path) -> None:
    write(project / "own.py", OWN_STAGES)
    parts = {
        "untyped": "'x'",
        "unknown": "'Nothing'",
        "odd": "Odd",
        "default": "'a'",
        "alone": "alone",
        "second": "run, y",
    }
    for name in [*parts, "right"]:
        write(project / f"recipes/{name}.yaml", f"stage: ./own.py:{name}\n")
    done = slmkit("check", *parts, "right", "--json")
    assert done.code == 3
    mistakes = {one["recipe"]: one for one in done.json["mistakes"]}
    assert set(mistakes) == set(parts)
    for line, (name, part) in enumerate(parts.items(), 3):
        assert part in mistakes[name]["what"]
        assert mistakes[name]["where"].endswith(f"own.py:{line}")
        assert mistakes[name]["fix"]


def test_an_empty_value(slmkit: Slmkit) -> None:
    refused(slmkit("train", "max_steps="), 3, "max_steps", "max_steps=null")


def test_data_in_the_home_folder(slmkit: Slmkit, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(project))
    write(project / "tickets.csv", ROWS)
    assert slmkit("gold", "freeze", "data=~/tickets.csv").code == 0
    assert slmkit("loop", "data=~/tickets.csv", "--dry-run").code == 0


def test_brackets_in_a_recipe_name_are_printed_unchanged(slmkit: Slmkit, project: Path) -> None:
    write(project / "recipes/a[b]c.yaml", "title: All [of] it\nstage: world\nwith: {family: tickets}\n")
    done = slmkit("show", "a[b]c").out
    assert "a[b]c" in done and "All [of] it" in done
