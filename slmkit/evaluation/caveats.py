"""Caveats of a comparison: systems that were handicapped, and systems that differ in more than the model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from slmkit.evaluation.score import Summary
from slmkit.types import Answer

_SAME_ANSWERS = 0.99  # share of identical answers from which a trained model is suspected to equal its base
_MANY_MISSING = 0.05  # share of unanswered or empty answers from which they explain the score
_MANY_CUT = 0.5  # share of answers cut off at max_new_tokens: the limit is too small, or the model never stops

_AUTO_LIMIT = re.compile(r"up to [\d,]+ tokens \(auto\)")  # one rule for all, whatever each tokenizer counts

SERVERS_TEMPLATE = "the server's, unknown"  # stated by a system that sends messages and never sees the prompt

Setups = Mapping[str, Mapping[str, Any]]


def handicaps(num_labels: int, summaries: Mapping[str, Summary], setups: Setups) -> str:
    """Sentences for the verdict: labels not in the prompt, and questions without a whole answer."""
    blind = [name for name in summaries if "labels_left_out" in setups[name]]
    missing = {name: summary.error_rate for name, summary in summaries.items()}
    cut = {name: 1 - summary.stop_rate - summary.error_rate for name, summary in summaries.items()}
    empty = {name: summary.empty_rate - summary.error_rate for name, summary in summaries.items()}
    text = f" The {num_labels} labels did not fit in the prompt of {', '.join(blind)}." if blind else ""
    if shares := _shares(missing, _MANY_MISSING):
        text += f" Unanswered questions, counted as wrong: {shares}."
    if shares := _shares(empty, _MANY_MISSING):
        text += f" Empty answers: {shares}."
    if shares := _shares(cut, _MANY_CUT):
        text += f" Answers cut off at max_new_tokens: {shares}."
    return text


def _shares(rates: Mapping[str, float], least: float) -> str:
    return ", ".join(f"{name} {rate:.0%}" for name, rate in rates.items() if rate >= least)


def differences(
    uses: Mapping[str, str], trained: Sequence[str], answers: Mapping[str, Sequence[Answer]], setups: Setups
) -> list[str]:
    """Notes on what makes systems hard to compare: training without effect, or different settings.

    uses: the kind of each system, such as "prompt". trained: the systems with a model that a run trained.
    """
    found = []
    for name in trained:
        for other in (one for one, use in uses.items() if use == uses[name] and one not in trained):
            pairs = [pair for pair in zip(answers[name], answers[other], strict=True) if not pair[0].error]
            same = sum(ours.text == theirs.text for ours, theirs in pairs) / max(1, len(pairs))
            if same >= _SAME_ANSWERS:
                found.append(
                    f"{name} and {other} give the same answer to {same:.0%} of the items: "
                    f"check that the training of {name} changed the model"
                )
    for key in ("template", "decoding", "dtype", "device"):
        names_by_value: dict[str, list[str]] = {}
        for name in uses:
            if setups[name].get(key, SERVERS_TEMPLATE) != SERVERS_TEMPLATE:
                value = _AUTO_LIMIT.sub("up to max_new_tokens=auto", str(setups[name][key]))
                names_by_value.setdefault(value, []).append(name)
        if len(names_by_value) > 1:
            each = "; ".join(f"{value}: {', '.join(names)}" for value, names in names_by_value.items())
            found.append(f"the systems differ in {key} ({each}), which may explain a difference in score")
    unknown = [name for name in uses if setups[name].get("template") == SERVERS_TEMPLATE]
    servers = {(setups[name].get("backend"), setups[name].get("model")) for name in unknown}
    is_known_elsewhere = any("template" in setups[name] for name in uses if name not in unknown)
    if unknown and (is_known_elsewhere or len(servers) > 1):
        found.append(
            f"the chat template of {', '.join(unknown)} is unknown (the server's); it may differ from the others"
        )
    return found
