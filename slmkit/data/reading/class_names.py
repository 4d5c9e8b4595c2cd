"""Replaces class ids by the names that `datasets` keeps beside them: label 2 becomes "card_arrival".

The names are in the metadata of a Parquet or Arrow file, in dataset_info.json beside a file, or in the header of the
README.md of a data set on the hub. A feature is {"_type": "ClassLabel", "names": [...]}, also in lists and records.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Feature = Any  # JSON of `datasets`: a dict with "_type", a list of one feature, or a dict of features
Features = Mapping[str, Feature]


def class_features(file: Path, root: Path, metadata: Mapping[bytes, bytes] | None = None) -> Features:
    """The columns with named classes, from the file's own metadata or the files beside it; usually none."""
    if metadata and b"huggingface" in metadata:
        info = _json(metadata[b"huggingface"].decode("utf-8", "replace"))
        found = _features(info.get("info") if isinstance(info, dict) else None)
        return {column: feature for column, feature in found.items() if _has_names(feature)}
    for folder in dict.fromkeys((file.parent, root)):
        found = _features_beside(folder)
        if named := {column: feature for column, feature in found.items() if _has_names(feature)}:
            return named
    return {}


def renamer(feature: Feature) -> Callable[[Any], Any]:
    """A function from a value with class ids to the same with names. It raises ValueError for an unknown id."""
    if isinstance(feature, list) and len(feature) == 1:
        return _of_list(renamer(feature[0]))
    if not isinstance(feature, Mapping) or not _has_names(feature):
        return lambda value: value
    if feature.get("_type") == "ClassLabel":
        return _of_class([str(name) for name in feature["names"]])
    if "_type" in feature:
        return _of_list(renamer(feature["feature"]))
    inner = {key: renamer(part) for key, part in feature.items() if _has_names(part)}

    def record(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: inner[key](part) if key in inner else part for key, part in value.items()}

    return record


def class_note(name: str, features: Features) -> str:
    """The note about columns whose class ids were replaced."""
    return f"{name}: class ids were replaced by their names in {', '.join(map(repr, features))}"


def _of_class(names: list[str]) -> Callable[[Any], Any]:
    known = set(names)

    def named(value: Any) -> Any:
        if isinstance(value, str):
            if value in known or not value.lstrip("-").isdigit():
                return value
            value = int(value)
        if value is None or isinstance(value, bool) or not isinstance(value, int | float):
            return value
        if math.isnan(value):
            return None
        if value == -1:  # `datasets` writes -1 where the label is withheld
            return None
        if value != int(value) or not 0 <= value < len(names):
            raise ValueError(f"class id {value} has no name; those named are 0 to {len(names) - 1}")
        return names[int(value)]

    return named


def _of_list(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def renamed(key: str, part: Any) -> Any:
        return [inner({key: one})[key] for one in part] if isinstance(part, list) else part

    def listed(value: Any) -> Any:
        if isinstance(value, dict):  # a sequence of records is stored as a record of lists
            return {key: renamed(key, part) for key, part in value.items()}
        return [inner(one) for one in value] if isinstance(value, list) else value

    return listed


def _has_names(feature: Feature) -> bool:
    if isinstance(feature, list):
        return len(feature) == 1 and _has_names(feature[0])
    if not isinstance(feature, Mapping):
        return False
    if "_type" in feature and isinstance(feature["_type"], str):
        if feature["_type"] == "ClassLabel":
            return bool(feature.get("names"))
        return _has_names(feature.get("feature"))
    return any(map(_has_names, feature.values()))


def _features_beside(folder: Path) -> Features:
    for name in ("dataset_info.json", "dataset_infos.json"):
        if (folder / name).is_file():
            info = _json((folder / name).read_text(encoding="utf-8", errors="replace"))
            if found := _features(info):
                return found
            configs = [_features(config) for config in info.values()] if isinstance(info, dict) else []
            if len(configs) == 1:  # of several, none is known to be that of this file
                return configs[0]
    return _features_of_readme(folder / "README.md")


def _features(info: Any) -> Features:
    found = info.get("features") if isinstance(info, dict) else None
    return found if isinstance(found, dict) else {}


def _features_of_readme(path: Path) -> Features:
    """The features in the YAML header of a data set's README.md, in the form of dataset_info.json."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    if not text.startswith("---") or "class_label" not in text:
        return {}
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        header = YAML(typ="safe").load(text.split("\n---")[0].removeprefix("---"))
    except YAMLError:
        return {}
    info = header.get("dataset_info") if isinstance(header, dict) else None
    infos = [info] if isinstance(info, dict) else info if isinstance(info, list) else []
    listed = infos[0].get("features") if len(infos) == 1 and isinstance(infos[0], dict) else None
    return _from_yaml(listed) if isinstance(listed, list) else {}


def _from_yaml(listed: list[Any]) -> dict[str, Feature]:
    return {str(one["name"]): _feature_from_yaml(one) for one in listed if isinstance(one, dict) and "name" in one}


def _feature_from_yaml(one: Any) -> Feature:
    if isinstance(one, list):
        return _from_yaml(one)
    if not isinstance(one, dict):
        return None
    if isinstance(label := one.get("class_label"), dict):
        names = label.get("names")
        return {"_type": "ClassLabel", "names": list(names.values()) if isinstance(names, dict) else names}
    for key in ("sequence", "list"):
        if key in one:
            return {"_type": "Sequence", "feature": _feature_from_yaml(one[key])}
    return _feature_from_yaml(one.get("dtype") or one.get("struct"))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
