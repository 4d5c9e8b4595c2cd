"""A neural network in one page: two tables of numbers with a bend between them, and how its mistakes teach them.

Read from top to bottom. Everything is numpy: the forward pass is three lines, the backward pass seven.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from slmkit.charts import PALETTE, clear_to, panels
from slmkit.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = Any  # numpy.ndarray, which is imported late
Weights = dict[str, "Array"]
Activation = Literal["tanh", "relu", "none"]

HIDDEN = 16
NUM_POINTS = 800
LEARNING_RATE = 0.5
NUM_STEPS = 400


def neural_network(run: Run, *, activation: Activation = "tanh", hidden: int = HIDDEN) -> None:
    """A network of two layers, forward and backward by hand, on points that no straight line can part.

    activation: the bend between the layers; "none" leaves it out. hidden: how many units the middle has.
    """
    x, y = points(run.seed, NUM_POINTS)
    unseen_x, unseen_y = points(run.seed + 1_000_000, NUM_POINTS)

    # 1. A straight line, a network, and the same network without its bend.
    layouts: dict[str, tuple[int, Activation]] = {
        "a straight line": (0, "none"),
        "a network": (hidden, activation),
        "without its bend": (hidden, "none"),
    }
    trained = {}
    for name, (units, bend) in layouts.items():
        weights = trained[name] = train(x, y, units, bend, seed=run.seed)
        right = (forward(weights, unseen_x, bend)["output"] > 0.5) == unseen_y
        run.metric(**{f"accuracy_{_METRIC[name]}": float(right.mean())})

    # 2. The slopes by hand are those of torch's automatic differentiation.
    start = first_weights(hidden, seed=run.seed)
    run.metric(torch_difference=difference_from_torch(start, x, y, activation))

    run.figure("boundaries", _draw(x, y, layouts, trained))
    run.verdict(
        f"Unseen points on the right side: a straight line {run.metrics['accuracy_line']:.0%}, "
        f"a network {run.metrics['accuracy_network']:.0%}, without its bend {run.metrics['accuracy_no_bend']:.0%}."
    )


_METRIC = {"a straight line": "line", "a network": "network", "without its bend": "no_bend"}


def points(seed: int, count: int) -> tuple[Array, Array]:
    """Four clouds of points (N, 2); opposite corners are of one kind (y = side xor side)."""
    import numpy as np

    random = np.random.default_rng(seed)
    corner = np.arange(count) % 4  # as many points in each corner
    centre = np.stack([corner // 2 * 2 - 1, corner % 2 * 2 - 1], axis=1)  # (-1, -1), (-1, 1), (1, -1), (1, 1)
    y = (corner // 2 != corner % 2).astype(float)
    return centre + 0.35 * random.normal(size=(count, 2)), y


def first_weights(hidden: int, *, seed: int) -> Weights:
    """Small random numbers to start from; no hidden units: one layer only, which is a straight line."""
    import numpy as np

    random = np.random.default_rng(seed)
    middle = hidden or 2
    weights = {"w2": random.normal(size=middle) / middle**0.5, "b2": np.zeros(1)}
    if hidden:
        weights |= {"w1": random.normal(size=(2, hidden)), "b1": np.zeros(hidden)}
    return weights


def forward(weights: Weights, x: Array, activation: Activation) -> dict[str, Array]:
    """What the network says of each point: the chance that it is of kind 1."""
    import numpy as np

    bend: dict[str, Callable[[Array], Array]] = {
        "tanh": np.tanh,
        "relu": lambda z: np.maximum(z, 0),
        "none": lambda z: z,
    }
    middle = bend[activation](x @ weights["w1"] + weights["b1"]) if "w1" in weights else x  # (N, hidden)
    score = middle @ weights["w2"] + weights["b2"]  # (N,)
    return {"middle": middle, "output": 1 / (1 + np.exp(-score))}


def backward(weights: Weights, x: Array, y: Array, activation: Activation) -> Weights:
    """How much the loss changes with each number: the chain rule, from the output back to the first layer."""
    seen = forward(weights, x, activation)
    score = (seen["output"] - y) / len(y)  # slope of the cross-entropy at the score, (N,)
    slopes = {"w2": seen["middle"].T @ score, "b2": score.sum(keepdims=True)}
    if "w1" in weights:
        middle = score[:, None] * weights["w2"]  # each hidden unit is to blame by its weight, (N, hidden)
        if activation == "tanh":
            middle = middle * (1 - seen["middle"] ** 2)
        elif activation == "relu":
            middle = middle * (seen["middle"] > 0)
        slopes |= {"w1": x.T @ middle, "b1": middle.sum(axis=0)}
    return slopes


def train(x: Array, y: Array, hidden: int, activation: Activation, *, seed: int) -> Weights:
    """Gradient descent: a small step against the slope of every number, 400 times."""
    weights = first_weights(hidden, seed=seed)
    for _ in range(NUM_STEPS):
        slopes = backward(weights, x, y, activation)
        weights = {name: value - LEARNING_RATE * slopes[name] for name, value in weights.items()}
    return weights


def difference_from_torch(weights: Weights, x: Array, y: Array, activation: Activation) -> float:
    """The largest difference between our outputs and slopes and those of torch, for the same numbers."""
    import torch

    theirs = {name: torch.tensor(value, requires_grad=True) for name, value in weights.items()}
    bend = {"tanh": torch.tanh, "relu": torch.relu, "none": lambda z: z}[activation]
    score = bend(torch.tensor(x) @ theirs["w1"] + theirs["b1"]) @ theirs["w2"] + theirs["b2"]
    torch.nn.functional.binary_cross_entropy_with_logits(score, torch.tensor(y)).backward()
    pairs = [(forward(weights, x, activation)["output"], torch.sigmoid(score).detach().numpy())]
    slopes = backward(weights, x, y, activation)
    for name, numbers in theirs.items():
        assert numbers.grad is not None, "backward was called"
        pairs.append((slopes[name], numbers.grad.numpy()))
    return max(float(abs(ours - library).max()) for ours, library in pairs)


def _draw(x: Array, y: Array, layouts: dict[str, tuple[int, Activation]], trained: dict[str, Weights]) -> Figure:
    """The points, and where each of the three says kind 1."""
    import numpy as np

    figure, charts = panels(columns=3, height=2.7, width=8.0, titles=list(layouts))
    sides = np.linspace(-2.4, 2.4, 60)
    across, up = np.meshgrid(sides, sides)
    grid = np.stack([across.ravel(), up.ravel()], axis=1)
    for axes, (name, (_, bend)) in zip(charts, layouts.items(), strict=True):
        said = forward(trained[name], grid, bend)["output"].reshape(across.shape)
        axes.imshow(said > 0.5, extent=(-2.4, 2.4, -2.4, 2.4), origin="lower", cmap=clear_to(PALETTE[5]), vmax=1.6)
        for kind, marker in ((0, "o"), (1, "x")):
            shown = x[y == kind][::3].T
            axes.scatter(*shown, s=10, marker=marker, color=PALETTE[kind], linewidths=0.8, label=f"kind {kind}")
        axes.set(aspect="equal", xlim=(-2.4, 2.4), ylim=(-2.4, 2.4))
        axes.grid(visible=False)
    charts[0].set(ylabel="shaded: says kind 1")
    return figure
