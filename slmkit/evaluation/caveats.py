"""What stands between the numbers of a comparison and its verdict: arms that were handicapped, or are not alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slmkit.evaluation.score import Summary
from slmkit.types import Answer

_SAME_ANSWERS = 0.99  # from this share on, a trained arm is suspected of answering as its base does
_MANY_MISSING = 0.05  # of the questions without an answer: from there on the arm's score measures that
_MANY_CUT = 0.5  # of the answers cut at max_new_tokens: the room is too small, or the model never stops

SERVERS_TEMPLATE = "the server's, unknown"  # what a system states that sends messages and sees no prompt

Setups = Mapping[str, Mapping[str, Any]]


def handicaps(num_labels: int, summaries: Mapping[str, Summary], setups: Setups) -> str:
    """What the verdict must add: arms that could not see the labels, left questions unanswered, or were cut short."""
    blind = [name for name in summaries if "labels_left_out" in setups[name]]
    missing = {name: summary.error_rate for name, summary in summaries.items()}
    cut = {name: 1 - summary.stop_rate - summary.error_rate for name, summary in summaries.items()}
    empty = {name: summary.empty_rate - summary.error_rate for name, summary in summaries.items()}
    said = f" The {num_labels} labels did not fit the prompt of {', '.join(blind)}." if blind else ""
    if shown := _shares(missing, _MANY_MISSING):
        said += f" Questions without an answer, which count as wrong: {shown}."
    if shown := _shares(empty, _MANY_MISSING):
        said += f" Empty answers: {shown}."
    if shown := _shares(cut, _MANY_CUT):
        said += f" Answers cut at max_new_tokens: {shown}."
    return said


def _shares(rates: Mapping[str, float], least: float) -> str:
    return ", ".join(f"{name} {rate:.0%}" for name, rate in rates.items() if rate >= least)


def differences(
    uses: Mapping[str, str], trained: Sequence[str], answers: Mapping[str, Sequence[Answer]], setups: Setups
) -> list[str]:
    """What makes arms hard to compare: a training that changed nothing, several or unknown templates, number types.

    uses: the system that each arm is; trained: those on a model that a run trained.
    """
    found = []
    for name in trained:
        for other in (one for one, use in uses.items() if use == uses[name] and one not in trained):
            pairs = [pair for pair in zip(answers[name], answers[other], strict=True) if not pair[0].error]
            same = sum(ours.text == theirs.text for ours, theirs in pairs) / max(1, len(pairs))
            if same >= _SAME_ANSWERS:
                found.append(f"{name} answers {same:.0%} of the items as {other} does: did its training do anything?")
    for key in ("template", "decoding", "dtype", "device"):
        having: dict[str, list[str]] = {}
        for name in uses:
            if setups[name].get(key, SERVERS_TEMPLATE) != SERVERS_TEMPLATE:
                having.setdefault(str(setups[name][key]), []).append(name)
        if len(having) > 1:
            each = "; ".join(f"{value}: {', '.join(names)}" for value, names in having.items())
            found.append(f"the arms differ in {key} ({each}), so not in the model alone")
    unknown = [name for name in uses if setups[name].get("template") == SERVERS_TEMPLATE]
    servers = {(setups[name].get("backend"), setups[name].get("model")) for name in unknown}
    is_known_elsewhere = any("template" in setups[name] for name in uses if name not in unknown)
    if unknown and (is_known_elsewhere or len(servers) > 1):
        found.append(f"the template of {', '.join(unknown)} is the server's and unknown: the arms may differ in it")
    return found
