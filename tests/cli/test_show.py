"""slmkit show: the keys of parts. Recipes and runs are shown in other tests."""

from collections.abc import Callable
from pathlib import Path

from project_files import Finished, write

from slmkit.recipe import lookup
from slmkit.recipe.signature import parameters

Slmkit = Callable[..., Finished]
PARTS = [(kind, name) for kind in lookup.PART_KINDS for name in lookup.part_files(kind)]


def test_every_key_of_every_part_is_shown_with_its_type_and_default(slmkit: Slmkit) -> None:
    for kind, name in PARTS:
        done = slmkit("show", name)
        assert done.code == 0, (name, done.err)
        shown = {words[0]: words[1:] for line in done.out.splitlines() if len(words := line.split()) > 1}
        for key in parameters(lookup.load_part(kind, name)):
            assert len(shown[key]) >= 2, (name, key)  # type and default


def test_types_are_shown_as_the_source_writes_them(slmkit: Slmkit) -> None:
    assert slmkit("show", "exact_match").out.startswith("exact_match(example, answer)  metrics")
    lines = [" ".join(line.split()) for line in slmkit("show", "sft").out.splitlines()]
    assert "data Input (required)" in lines
    assert "replay Input | None None" in lines
    assert "per_device_train_batch_size PositiveInt 8" in lines  # a field of Keys[Training]


def test_values_for_a_part_are_refused(slmkit: Slmkit) -> None:
    done = slmkit("show", "bm25", "k1=2")
    assert done.code == 3
    assert "'bm25'" in done.error_lines[0] and "k1=2" in done.error_lines[1]


def test_a_model_and_a_function_of_ones_own_are_shown(slmkit: Slmkit, project: Path) -> None:
    assert "context_length  1024" in slmkit("show", "nano").out
    assert slmkit("show", "nano", "--json").json["card"]["context_length"] == 1024
    write(
        project / "mine.py",
        'def half(example, answer, *, weight: float = 0.5) -> float:\n    """Half."""\n    return weight\n',
    )
    shown = slmkit("show", "./mine.py:half")
    assert shown.code == 0, shown.err
    assert shown.out.startswith("half(example, answer)  ./mine.py") and "0.5" in shown.out
    assert slmkit("show", "./mine.py:hlaf").code == 3
    assert "'nano'" in slmkit("show", "nanoo").err
