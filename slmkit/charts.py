"""Charts as matplotlib figures: axes with units, confidence intervals, colours for light and dark pages.

Text and axes are black on a transparent background; the report replaces black by the page's text colour. No pyplot,
so no global state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

# After Okabe and Ito's colour-blind-safe set, each shifted in lightness to a contrast of 3:1 on white and on a
# dark page (WCAG 2.2, 1.4.11): blue, vermilion, green, purple, ochre, grey.
PALETTE = ("#2478b8", "#d55e00", "#00906a", "#b8659a", "#a87a00", "#7a7f85")
_MARKERS = "os^DvPX"  # seven for six colours, so that the pairs repeat only after 42 series
_WIDE = 100  # from this ratio on, three labels per factor of ten would overlap
_GREY = "#808080"
_MAX_POINTS = 1_000  # per curve; more are indistinguishable
_MAX_NAME = 32  # characters

_UNITS = {
    "loss": "loss (nats per token)",
    "validation_loss": "loss (nats per token)",
    "learning_rate": "learning rate",
    "tokens": "tokens seen",
    "grad_norm": "gradient norm",
    "seconds_per_answer": "seconds per answer",
    "cost_per_1000": "cost of 1,000 answers",
}


def curves(rows: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """One chart per quantity of log.jsonl over the steps, losses first; training and validation loss share one.

    Rows look like {"step": 10, "loss": 2.31, "learning_rate": 0.0002}; a row may lack any of them.
    """
    series: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for name, value in row.items():
            if name != "step" and _is_number(value) and _is_number(row.get("step")):
                series.setdefault(name, []).append((row["step"], value))
    charts: dict[str, list[str]] = {}
    for name in sorted(series, key=lambda name: ("loss" not in name, name != "loss", name)):
        charts.setdefault(_label(name), []).append(name)
    figures = []
    for label, names in charts.items():
        figure, axes = blank(height=2.6, width=4.8)
        for colour, name in zip(PALETTE, names, strict=False):
            points = series[name][:: max(1, math.ceil(len(series[name]) / _MAX_POINTS))]
            steps, values = zip(*points, strict=True)
            marker = "o" if len(points) < 25 else None
            axes.plot(
                steps, values, color=colour, marker=marker, markersize=3, label=_one_line(name.replace("_", " "))
            )
        axes.set(xlabel="step", ylabel=label)
        axes.yaxis.set_major_formatter(_tick)
        if len(names) > 1:
            axes.legend(frameon=False, fontsize=9)
        figures.append(figure)
    return figures


def arms(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Each arm's score as a point with its 95% confidence interval, the first arm on top.

    Rows look like {"system": "rag", "score": 0.81, "low": 0.75, "high": 0.86}.
    """
    figure, axes = blank(height=0.7 + 0.34 * len(rows))
    for y, row in enumerate(rows):
        low, high = _interval(row)
        axes.plot([low, high], [y, y], color=PALETTE[0], linewidth=2, solid_capstyle="round")
        axes.plot([row["score"]], [y], "o", color=PALETTE[0], markersize=6)
        axes.annotate(f"{row['score']:.3f}", (high, y), (6, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(range(len(rows)), [_one_line(row["system"]) for row in rows])
    axes.set(xlabel="score, with 95% interval", ylim=(len(rows) - 0.5, -0.5))
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.12)
    return figure


def score_against_cost(rows: Sequence[Mapping[str, Any]], *, cost: str = "seconds_per_answer") -> Figure:
    """Score with its 95% confidence interval against cost on a logarithmic axis: up and left is better.

    Rows are those of `arms` with a `cost` column. An arm that costs nothing cannot be placed on a logarithmic axis;
    the axis label names it.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, axes = blank(height=3.2)
    shown = [row for row in rows if _is_number(row.get(cost)) and row[cost] > 0]
    for index, row in enumerate(shown):
        colour = PALETTE[index % len(PALETTE)]
        axes.plot([row[cost]] * 2, _interval(row), color=colour, linewidth=1.5, solid_capstyle="round")
        marker = _MARKERS[index % len(_MARKERS)]
        axes.plot([row[cost]], [row["score"]], marker, color=colour, markersize=6, label=_one_line(row["system"]))
    free = ", ".join(_one_line(row["system"]) for row in rows if row not in shown)
    xlabel = _label(cost) + (f"; free: {free}" if free else "")
    axes.set(xscale="log", xlabel=xlabel, ylabel="score, with 95% interval")
    costs = [row[cost] for row in shown]
    is_wide = bool(costs) and max(costs) / min(costs) >= _WIDE
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if is_wide else (1, 2, 5)))
    axes.xaxis.set_major_formatter(_tick)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.1)
    if shown:  # a legend beside the chart: labels at the points would overlap
        figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    return figure


def metric_by_value(points: Sequence[tuple[Any, float]], *, key: str, metric: str) -> Figure:
    """A metric at each value of a key; the axis is logarithmic if the values span a factor of ten.

    Points are (value of the key, metric).
    """
    figure, axes = blank(height=2.6, width=4.8)
    values = [value for value, _ in points]
    numbers = bool(values) and all(_is_number(value) for value in values)
    positions = values if numbers else [_one_line(str(value)) for value in values]
    axes.plot(positions, [measured for _, measured in points], "o", color=PALETTE[0], markersize=5)
    if numbers and min(values) > 0 and max(values) / min(values) >= 10:
        axes.set_xscale("log")
    axes.set(xlabel=_one_line(key), ylabel=_label(metric))
    return figure


def histogram(values: Sequence[float], *, xlabel: str) -> Figure:
    """How often each value occurs, in 40 bins."""
    figure, axes = blank(height=2.6)
    axes.hist(list(values), bins=40, color=PALETTE[0])
    axes.set(xlabel=xlabel, ylabel="count")
    return figure


def blank(*, height: float, width: float = 6.4) -> tuple[Figure, Axes]:
    """An empty figure in the common style, sizes in inches: no frame, a faint grid, room for the labels."""
    figure, [axes] = panels(columns=1, height=height, width=width)
    return figure, axes


def panels(
    *, columns: int, height: float, width: float = 6.4, titles: Sequence[str] = ()
) -> tuple[Figure, list[Axes]]:
    """An empty figure of several charts side by side, each with its title if there are titles."""
    import matplotlib
    from matplotlib.figure import Figure

    style = {"font.size": 9, "axes.edgecolor": _GREY, "axes.linewidth": 0.8, "axes.axisbelow": True, "axes.grid": True}
    grid = {"grid.color": _GREY, "grid.alpha": 0.25, "grid.linewidth": 0.6, "xtick.color": _GREY, "ytick.color": _GREY}
    labels = {"xtick.labelcolor": "black", "ytick.labelcolor": "black", "axes.spines.top": False}
    with matplotlib.rc_context({**style, **grid, **labels, "axes.spines.right": False}):
        figure = Figure(figsize=(width, height), layout="constrained")
        charts = list(figure.subplots(1, columns, squeeze=False)[0])
    for axes in charts:
        axes.tick_params(length=3)
    for axes, title in zip(charts, titles, strict=False):
        axes.set_title(title, loc="left", fontsize=9)
    return figure, charts


def clear_to(colour: str) -> LinearSegmentedColormap:
    """A colormap from transparent to a translucent colour, on which text is readable on light and dark pages."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgba

    return LinearSegmentedColormap.from_list(f"clear_to_{colour}", [to_rgba(colour, 0), to_rgba(colour, 0.6)])


def _interval(row: Mapping[str, Any]) -> tuple[float, float]:
    """The ends of the row's interval, or the score twice if it has none."""
    low, high = row.get("low"), row.get("high")
    return row["score"] if low is None else low, row["score"] if high is None else high


def _label(name: str) -> str:
    return _UNITS.get(name) or _one_line(name.replace("_", " "))


def _tick(value: float, _position: int | None = None) -> str:
    """A number on an axis: 0.0002, 2.5, 300k."""
    if abs(value) < 10_000:
        return f"{value:g}"
    return f"{value / 1e3:g}k" if abs(value) < 1e6 else f"{value / 1e6:g}M"


def _one_line(text: str) -> str:
    """A name short enough for a chart; dollar signs are escaped, or matplotlib would read a formula."""
    line = " ".join(str(text).split())
    return (line if len(line) <= _MAX_NAME else line[: _MAX_NAME - 1] + "…").replace("$", r"\$")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
