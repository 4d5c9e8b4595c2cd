"""`slmkit show`: what a part takes; recipes and runs are shown in test_recipes and test_runner."""

from collections.abc import Callable

import pytest
from project_files import Finished

from slmkit.recipe import lookup
from slmkit.recipe.signature import parameters

Slmkit = Callable[..., Finished]
PARTS = [(kind, name) for kind in lookup.PART_KINDS for name in lookup.part_files(kind)]


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_every_part_is_shown_with_its_keys_and_their_types(slmkit: Slmkit, kind: str, name: str) -> None:
    done = slmkit("show", name)
    assert done.code == 0, done.err
    shown = {words[0]: words[1:] for line in done.out.splitlines() if len(words := line.split()) > 1}
    for key in parameters(lookup.load_part(kind, name)):
        assert len(shown[key]) >= 2, key  # its type and its default


def test_a_part_is_shown_as_its_file_spells_it(slmkit: Slmkit) -> None:
    assert slmkit("show", "exact_match").out.startswith("exact_match(example, answer)  metrics")
    lines = [" ".join(line.split()) for line in slmkit("show", "sft").out.splitlines()]
    assert "data Input (needed)" in lines
    assert "replay Input | None None" in lines
    assert "per_device_train_batch_size Count 8" in lines  # a field of Keys[Training]


def test_values_for_what_is_no_recipe_are_refused(slmkit: Slmkit) -> None:
    done = slmkit("show", "bm25", "k1=2")
    assert done.code == 3
    assert done.error_lines[0] == "error: 'bm25' is no recipe, and takes no values here"
