"""A neural network in one page: two layers with an activation function between them, trained by backpropagation.

Read from top to bottom. Everything is numpy: the forward pass is three lines, the backward pass seven.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from slmkit.charts import PALETTE, clear_to, panels
from slmkit.runs.run_folder import Run

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
    """Trains a two-layer network, forward and backward by hand, on points that no straight line separates.

    activation: the function between the layers; "none" omits it. hidden: the number of hidden units.
    """
    x, y = points(run.seed, NUM_POINTS)
    unseen_x, unseen_y = points(run.seed + 1_000_000, NUM_POINTS)

    # 1. A straight line, a network, and the same network without its activation.
    layouts: dict[str, tuple[int, Activation]] = {
        "a straight line": (0, "none"),
        "a network": (hidden, activation),
        "no activation": (hidden, "none"),
    }
    trained = {}
    for name, (units, function) in layouts.items():
        weights = trained[name] = train(x, y, units, function, seed=run.seed)
        right = (forward(weights, unseen_x, function)["output"] > 0.5) == unseen_y
        run.metric(**{f"accuracy_{_METRIC[name]}": float(right.mean())})

    # 2. The gradients by hand equal those of torch's autograd.
    start = first_weights(hidden, seed=run.seed)
    run.metric(torch_difference=difference_from_torch(start, x, y, activation))

    run.figure("boundaries", _draw(x, y, layouts, trained))
    run.verdict(
        f"Accuracy on unseen points: a straight line {run.metrics['accuracy_line']:.0%}, a network "
        f"{run.metrics['accuracy_network']:.0%}, the network without its activation "
        f"{run.metrics['accuracy_no_bend']:.0%}."
    )


_METRIC = {"a straight line": "line", "a network": "network", "no activation": "no_bend"}


def points(seed: int, count: int) -> tuple[Array, Array]:
    """Four clusters of points (N, 2); opposite corners have the same class (XOR)."""
    import numpy as np

    random = np.random.default_rng(seed)
    corner = np.arange(count) % 4  # the same number of points in each corner
    centre = np.stack([corner // 2 * 2 - 1, corner % 2 * 2 - 1], axis=1)  # (-1, -1), (-1, 1), (1, -1), (1, 1)
    y = (corner // 2 != corner % 2).astype(float)
    return centre + 0.35 * random.normal(size=(count, 2)), y


def first_weights(hidden: int, *, seed: int) -> Weights:
    """Small random weights to start from; without hidden units there is one layer, which is a straight line."""
    import numpy as np

    random = np.random.default_rng(seed)
    middle = hidden or 2
    weights = {"w2": random.normal(size=middle) / middle**0.5, "b2": np.zeros(1)}
    if hidden:
        weights |= {"w1": random.normal(size=(2, hidden)), "b1": np.zeros(hidden)}
    return weights


def forward(weights: Weights, x: Array, activation: Activation) -> dict[str, Array]:
    """The network's output for each point: the probability of class 1."""
    import numpy as np

    functions: dict[str, Callable[[Array], Array]] = {
        "tanh": np.tanh,
        "relu": lambda z: np.maximum(z, 0),
        "none": lambda z: z,
    }
    middle = functions[activation](x @ weights["w1"] + weights["b1"]) if "w1" in weights else x  # (N, hidden)
    score = middle @ weights["w2"] + weights["b2"]  # (N,)
    return {"middle": middle, "output": 1 / (1 + np.exp(-score))}


def backward(weights: Weights, x: Array, y: Array, activation: Activation) -> Weights:
    """The gradient of the loss for each weight: the chain rule, from the output back to the first layer."""
    out = forward(weights, x, activation)
    score = (out["output"] - y) / len(y)  # (N,): gradient of the cross-entropy at the score
    gradients = {"w2": out["middle"].T @ score, "b2": score.sum(keepdims=True)}
    if "w1" in weights:
        middle = score[:, None] * weights["w2"]  # (N, hidden): each hidden unit by its weight
        if activation == "tanh":
            middle = middle * (1 - out["middle"] ** 2)
        elif activation == "relu":
            middle = middle * (out["middle"] > 0)
        gradients |= {"w1": x.T @ middle, "b1": middle.sum(axis=0)}
    return gradients


def train(x: Array, y: Array, hidden: int, activation: Activation, *, seed: int) -> Weights:
    """Gradient descent: 400 small steps against the gradient."""
    weights = first_weights(hidden, seed=seed)
    for _ in range(NUM_STEPS):
        gradients = backward(weights, x, y, activation)
        weights = {name: value - LEARNING_RATE * gradients[name] for name, value in weights.items()}
    return weights


def difference_from_torch(weights: Weights, x: Array, y: Array, activation: Activation) -> float:
    """The largest difference from torch's outputs and gradients, for the same weights."""
    import torch

    theirs = {name: torch.tensor(value, requires_grad=True) for name, value in weights.items()}
    function = {"tanh": torch.tanh, "relu": torch.relu, "none": lambda z: z}[activation]
    score = function(torch.tensor(x) @ theirs["w1"] + theirs["b1"]) @ theirs["w2"] + theirs["b2"]
    torch.nn.functional.binary_cross_entropy_with_logits(score, torch.tensor(y)).backward()
    pairs = [(forward(weights, x, activation)["output"], torch.sigmoid(score).detach().numpy())]
    gradients = backward(weights, x, y, activation)
    for name, weight in theirs.items():
        assert weight.grad is not None, "backward was called"
        pairs.append((gradients[name], weight.grad.numpy()))
    return max(float(abs(ours - library).max()) for ours, library in pairs)


def _draw(x: Array, y: Array, layouts: dict[str, tuple[int, Activation]], trained: dict[str, Weights]) -> Figure:
    """The points, and the region that each of the three models assigns to class 1."""
    import numpy as np

    figure, charts = panels(columns=3, height=2.7, width=8.0, titles=list(layouts))
    sides = np.linspace(-2.4, 2.4, 60)
    across, up = np.meshgrid(sides, sides)
    grid = np.stack([across.ravel(), up.ravel()], axis=1)
    for axes, (name, (_, function)) in zip(charts, layouts.items(), strict=True):
        output = forward(trained[name], grid, function)["output"].reshape(across.shape)
        axes.imshow(output > 0.5, extent=(-2.4, 2.4, -2.4, 2.4), origin="lower", cmap=clear_to(PALETTE[5]), vmax=1.6)
        for label, marker in ((0, "o"), (1, "x")):
            shown = x[y == label][::3].T
            axes.scatter(*shown, s=10, marker=marker, color=PALETTE[label], linewidths=0.8, label=f"class {label}")
        axes.set(aspect="equal", xlim=(-2.4, 2.4), ylim=(-2.4, 2.4))
        axes.grid(visible=False)
    charts[0].set(ylabel="shaded: predicted class 1")
    return figure
