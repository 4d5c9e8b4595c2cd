"""Makes the text, the answer and the passage of a row from its columns, and several rows from one with nested values.

    {"article": "…", "qas": [{"question": "When?", "answer": "1889"}, {"question": "Where?", "answer": "Paris"}]}
    text_column=qas.question label_column=qas.answer  ->  two rows, each question with its own answer

Each leaf of the text's path is a row. Of another path, a row has the leaves at the same places of the lists that both
paths go through; if it goes through further lists, the values are a list. Two lists side by side belong together item
by item if they are equally long in all of the first rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from slmkit.data.canonical_row import RowFault
from slmkit.data.cell import is_empty
from slmkit.data.columns.column_path import Places, walk
from slmkit.data.columns.column_source import Source
from slmkit.data.reading.read import Row

Leaves = Sequence[tuple[Places, Any]]


@dataclass(frozen=True)
class RowParts:
    """How the text, the answer and the passage of a row are made, unless a column holds them already."""

    sources: Mapping[str, Source]
    paired: Mapping[str, str] = field(default_factory=dict)  # a list -> the list of the text that it belongs to
    further: Mapping[str, str] = field(default_factory=dict)  # a path -> its first list that the text does not share

    def rows(self, row: Row, *, gaps: Counter[str] | None = None) -> list[Row]:
        """The rows made from one, with each made value in the column of its source's name.

        `gaps` counts the empty columns beside filled ones of a text; a record as label keeps them as null.
        Raises: RowFault if two lists that belong together differ in length.
        """
        values, sources = row.values, self.sources
        paths = list(dict.fromkeys(path for source in sources.values() for path in source.paths))
        if all(path in values for path in paths):
            return [self._made(row, values, gaps)]
        found = {path: [(self._renamed(places), leaf) for places, leaf in walk(values, path)] for path in paths}
        self._check_lengths(values, paths)
        driver = ""
        leaves: Leaves = [((), None)]  # without a path of the text, a row stays one row
        if "text" in sources:
            driver = max(sources["text"].paths, key=lambda path: len(_lists(found[path])))
            leaves = found.pop(driver)
        lists = _lists(leaves)
        looked_up = {path: _Matched.of(others, lists) for path, others in found.items()}
        further = {path: at for path, at in self.further.items() if path in found}
        whole = {path: _Matched.of(walk(values, at), lists) for path, at in further.items()}
        rows = []
        for places, leaf in leaves:
            here = {path: matched.at(places) for path, matched in looked_up.items()}
            for path, matched in whole.items():
                if here[path] is None and matched.at(places) == []:
                    here[path] = []  # nothing was found, which is an answer; a missing list is not
                elif here[path] is not None and not looked_up[path].is_many:
                    here[path] = [here[path]]
            rows.append(self._made(row, {**here, driver: leaf} if driver else here, gaps))
        return rows or [self._made(row, {}, gaps)]

    def _made(self, row: Row, found: Mapping[str, Any], gaps: Counter[str] | None) -> Row:
        made = {}
        for role, source in self.sources.items():
            values = [found.get(path) for path in source.paths]
            value = source.answer(values) if role == "label" else source.text(values)
            made[source.name] = value
            if gaps is not None and role != "label" and len(values) > 1 and value is not None:
                gaps.update(path for path, one in zip(source.paths, values, strict=True) if is_empty(one))
        return row._replace(values={**row.values, **made})

    def _renamed(self, places: Places) -> Places:
        return tuple((self.paired.get(at, at), item) for at, item in places) if self.paired else places

    def _check_lengths(self, values: Mapping[str, Any], paths: Iterable[str]) -> None:
        sizes = _sizes(values, paths) if self.paired else {}
        for one, other in self.paired.items():
            if one in sizes and sizes[one] != sizes.get(other):
                raise RowFault(f"{one} and {other} have different lengths")


def row_parts(rows: Sequence[Row], sources: Mapping[str, Source]) -> RowParts:
    """How the parts of these rows are made; the first rows decide which lists belong together."""
    paths = list(dict.fromkeys(path for source in sources.values() for path in source.paths))
    lists = {path: _lists([leaf for row in rows for leaf in walk(row.values, path)]) for path in paths}
    text = max((lists[path] for path in sources["text"].paths), key=len) if "text" in sources else ()
    paired, further = {}, {}
    for path in paths:
        own = [at for at in lists[path] if at not in text]
        others = [at for at in text if at not in lists[path]]
        if own and others and _are_equally_long(rows, paths, own[0], others[0]):
            paired[own.pop(0)] = others[0]
        if own:
            further[path] = own[0]
    return RowParts(sources, paired, further)


def _are_equally_long(rows: Sequence[Row], paths: Sequence[str], one: str, other: str) -> bool:
    """Whether two lists have as many items in each row that has both, and several in one of them."""
    sizes = [_sizes(row.values, paths) for row in rows]
    pairs = [(size[one], size[other]) for size in sizes if one in size and other in size]
    return all(a == b for a, b in pairs) and any(max(a.values()) > 1 for a, _ in pairs)


class _Matched(NamedTuple):
    """The leaves of a path by their places in the lists that it shares with the driving path."""

    shared: tuple[str, ...]
    leaves: Mapping[tuple[int, ...], list[Any]]
    is_many: bool  # the path goes through further lists

    @classmethod
    def of(cls, leaves: Leaves, driver: Sequence[str]) -> _Matched:
        lists = _lists(leaves)
        shared = tuple(at for at in lists if at in driver)
        found: dict[tuple[int, ...], list[Any]] = {}
        for places, leaf in leaves:
            found.setdefault(_items(places, shared), []).append(leaf)
        return cls(shared, found, len(lists) > len(shared))

    def at(self, places: Places) -> Any:
        leaves = self.leaves.get(_items(places, self.shared), [])
        return leaves if self.is_many else leaves[0] if leaves else None


def _items(places: Places, lists: Sequence[str]) -> tuple[int, ...]:
    known = dict(places)
    return tuple(known.get(at, -1) for at in lists)


def _lists(leaves: Leaves) -> tuple[str, ...]:
    return tuple(dict.fromkeys(at for places, _ in leaves for at, _ in places))


def _sizes(values: Mapping[str, Any], paths: Iterable[str]) -> dict[str, dict[tuple[int, ...], int]]:
    """The number of items in each list of the paths, by the places of the lists around it."""
    sizes: dict[str, dict[tuple[int, ...], int]] = {}
    for path in paths:
        for places, _ in walk(values, path):
            for depth, (at, item) in enumerate(places):
                around = tuple(place for _, place in places[:depth])
                of_list = sizes.setdefault(at, {})
                of_list[around] = max(of_list.get(around, 0), item + 1)
    return sizes
