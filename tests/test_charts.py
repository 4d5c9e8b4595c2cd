"""Charts: what is drawn, with which labels, and whether it can be read."""

import io
import itertools
from xml.etree import ElementTree

import pytest

from slmkit.charts import PALETTE, arms, curves, histogram, score_against_cost

ARMS = [
    {"system": "tuned", "score": 0.8, "low": 0.7, "high": 0.9, "seconds_per_answer": 0.02},
    {"system": "price: $5 or $6, " + "very " * 20, "score": 0.6, "low": None, "high": None, "seconds_per_answer": 0.3},
    {"system": "majority", "score": 0.5, "low": 0.4, "high": 0.6, "seconds_per_answer": 0.0},
]


def svg(figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True)
    return buffer.getvalue()


def test_losses_share_a_chart_and_other_quantities_have_one_each():
    rows = [{"step": step, "learning_rate": 1e-4, "loss": 2 / step} for step in range(1, 11)]
    rows += [{"step": 10, "validation_loss": 0.3}, {"step": 11, "loss": float("nan")}, {"loss": 1.0}]
    [loss], [rate] = (figure.axes for figure in curves(rows))
    assert "nats" in loss.get_ylabel() and rate.get_ylabel() == "learning rate"
    assert loss.get_xlabel() == "step"
    assert [line.get_label() for line in loss.lines] == ["loss", "validation loss"]
    assert list(loss.lines[0].get_ydata()) == [2 / step for step in range(1, 11)]  # no nan, no row without a step


def test_a_long_curve_is_downsampled():
    [figure] = curves([{"step": step, "loss": 1.0} for step in range(50_000)])
    assert len(figure.axes[0].lines[0].get_xdata()) <= 1_000


def test_an_empty_log_has_no_chart():
    assert curves([]) == []


def test_arms_show_their_intervals_the_first_on_top():
    [axes] = arms(ARMS).axes
    assert list(axes.lines[0].get_xdata()) == [0.7, 0.9]
    assert list(axes.lines[2].get_xdata()) == [0.6, 0.6]  # an arm without an interval
    bottom, top = axes.get_ylim()
    assert bottom > top and "95%" in axes.get_xlabel()


def test_an_arm_that_costs_nothing_is_named_on_the_axis():
    figure = score_against_cost(ARMS)
    assert [text.get_text()[:6] for text in figure.legends[0].texts] == ["tuned", "price:"]
    assert figure.axes[0].get_xscale() == "log" and ARMS[2]["system"] in figure.axes[0].get_xlabel()


def test_a_histogram_counts_every_value():
    figure = histogram([1, 2, 2, 3], xlabel="tokens per row")
    assert [height for patch in figure.axes[0].patches if (height := patch.get_height())] == [1, 2, 1]


@pytest.mark.parametrize("hostile", ["$\\frac{$", "a\nb\n\nc", "x" * 500, "<b>&amp;"])
def test_a_chart_accepts_any_name(hostile):
    row = {"system": hostile, "score": 0.5, "low": 0.4, "high": 0.6, "seconds_per_answer": 1.0}
    named = [*curves([{"step": 1, hostile: 2}]), arms([row]), score_against_cost([row])]
    for figure in named:
        ElementTree.fromstring(svg(figure))


def test_every_colour_has_contrast_on_white_and_dark_pages():
    assert len(set(PALETTE)) == len(PALETTE)
    for page in ("#ffffff", "#14171a"):
        assert all(contrast(colour, page) >= 3 for colour in PALETTE)  # WCAG 2.2, 1.4.11
    assert contrast("#ffffff", "#000000") == pytest.approx(21)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two sRGB colours. Source: WCAG 2.2, definitions of contrast ratio and relative luminance."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("cheapest", [3e-5, 1e-3, 6e-3])
def test_the_labels_of_the_cost_axis_do_not_overlap(cheapest):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    rows = [
        {"system": f"fine-tuned + RAG {i}", "score": 0.5, "low": 0.4, "high": 0.6, "cost_per_1000": cost}
        for i, cost in enumerate((cheapest, 0.009, 0.013, 0.017))
    ]
    figure = score_against_cost(rows, cost="cost_per_1000")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    [axes] = figure.axes
    low, high = axes.get_xlim()
    labels = [label for label in axes.get_xticklabels() if label.get_text() and low <= label.get_position()[0] <= high]
    boxes = [label.get_window_extent(canvas.get_renderer()) for label in labels]
    assert boxes
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
