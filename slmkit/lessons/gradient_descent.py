"""How models learn: measure the loss, take a small step downhill, and repeat.

Read from top to bottom: gradient descent in ten lines, the effect of the learning rate, why small batches are enough,
and the same loop on a language model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from slmkit.charts import PALETTE, panels
from slmkit.micro_world.gold_sets import draw
from slmkit.models.load import Device, load_model
from slmkit.runs.run_folder import Run
from slmkit.types import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

NUM_POINTS = 2_000
NUM_STEPS = 50
BATCH_SIZE = 16
TRUE_W = (1.5, -2.0)

Gradient = Callable[["Tensor"], "Tensor"]


def gradient_descent(
    run: Run,
    *,
    model: Model,
    direction: Literal["downhill", "uphill"] = "downhill",
    max_steps: int = 60,
    learning_rate: float = 0.1,
    device: Device = "auto",
) -> None:
    """Runs gradient descent, written by hand, on a line through points and then on a language model.

    direction: "uphill" flips the sign of every step. max_steps and learning_rate are for the language model.
    """
    import torch

    X, y = points(seed=run.seed)
    best = torch.linalg.lstsq(X, y).solution  # the exact solution, without learning
    sign = 1.0 if direction == "downhill" else -1.0
    start = torch.zeros(2, dtype=X.dtype)

    # 1. Steps of a good size find the solution; steps that are a little too large diverge.
    steepest = float(
        torch.linalg.eigvalsh(2 * X.T @ X / len(y)).max()
    )  # the largest curvature: above 2 / steepest, steps diverge
    rates = {"tiny": 0.02 / steepest, "good": 1.0 / steepest, "too large": 2.1 / steepest}
    paths = {
        name: descend(start, lambda w: gradient(w, X, y), learning_rate=sign * rate, steps=NUM_STEPS)
        for name, rate in rates.items()
    }
    losses = {name: [mean_squared_error(X, y, w) for w in path] for name, path in paths.items()}
    run.metric(
        distance_to_best=float((paths["good"][-1] - best).norm()),
        too_large_loss_grew=losses["too large"][-1] / losses["too large"][0],
    )

    # 2. torch.optim.SGD takes the same path.
    theirs = torch_path(X, y, learning_rate=sign * rates["good"])
    apart = [float((ours - its).norm() / (1 + its.norm())) for ours, its in zip(paths["good"], theirs, strict=True)]
    run.metric(torch_difference=max(apart))

    # 3. A few points are enough for a step: their gradient is right on average.
    batches = minibatches(X, y, seed=run.seed)
    # Smaller steps after 100: the noise of small batches averages out.
    rough = descend(start, lambda w: gradient(w, *next(batches)), learning_rate=sign * 0.1 / steepest, steps=100)
    fine = descend(rough[-1], lambda w: gradient(w, *next(batches)), learning_rate=sign * 0.02 / steepest, steps=150)
    losses["16 per step"] = [mean_squared_error(X, y, w) for w in [*rough, *fine[1:]]]
    run.metric(
        minibatch_excess_loss=losses["16 per step"][-1] / mean_squared_error(X, y, best) - 1,
        minibatch_share_of_gradients=BATCH_SIZE * 250 / (NUM_POINTS * NUM_STEPS),
    )

    # 4. The same loop, on every parameter of a language model with random weights.
    language = language_model_losses(run, model, sign * learning_rate, max_steps, device)
    run.metric(lm_loss_first=language[0], lm_loss_last=language[-1], lm_loss_fell=1 - language[-1] / language[0])
    run.figure("descent", _draw(X, y, paths, losses))
    run.verdict(
        f"The same ten lines took the loss of the language model from {language[0]:.2f} to {language[-1]:.2f} in "
        f"{max_steps} steps."
    )


def descend(w: Tensor, gradient_at: Gradient, *, learning_rate: float, steps: int) -> list[Tensor]:
    """The path of gradient descent from w: each step goes against the gradient."""
    path = [w]
    for _ in range(steps):
        w = w - learning_rate * gradient_at(w)
        path.append(w)
    return path


def gradient(w: Tensor, X: Tensor, y: Tensor) -> Tensor:
    """The gradient of mean_squared_error at w, by hand: 2/N * X'(Xw - y)."""
    return 2 / len(y) * X.T @ (X @ w - y)


def mean_squared_error(X: Tensor, y: Tensor, w: Tensor) -> float:
    """The loss at w: the mean of the squared errors."""
    return float(((X @ w - y) ** 2).mean())


def points(*, seed: int) -> tuple[Tensor, Tensor]:
    """Points with two features (N, 2) and a value (N): 1.5 times the first minus 2 times the second, plus noise."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(NUM_POINTS, 2, generator=generator, dtype=torch.float64) * torch.tensor([1.0, 0.5])
    noise = torch.randn(NUM_POINTS, generator=generator, dtype=torch.float64)
    return X, X @ torch.tensor(TRUE_W, dtype=torch.float64) + 0.5 * noise


def minibatches(X: Tensor, y: Tensor, *, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches of 16 points drawn at random."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    while True:
        rows = torch.randint(len(y), (BATCH_SIZE,), generator=generator)
        yield X[rows], y[rows]


def torch_path(X: Tensor, y: Tensor, *, learning_rate: float) -> list[Tensor]:
    """The same path with torch: autograd computes the gradient, SGD takes the step."""
    import torch

    w = torch.zeros(2, dtype=X.dtype, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=abs(learning_rate), maximize=learning_rate < 0)
    path = [w.detach().clone()]
    for _ in range(NUM_STEPS):
        optimizer.zero_grad()
        ((X @ w - y) ** 2).mean().backward()
        optimizer.step()
        path.append(w.detach().clone())
    return path


def language_model_losses(run: Run, ref: Model, learning_rate: float, steps: int, device: Device) -> list[float]:
    """The loss at each step of training a model of the same shape from random weights."""
    import torch
    from transformers import AutoModelForCausalLM

    loaded = load_model(ref, device=device, dtype="float32")
    torch.manual_seed(run.seed)
    untrained = AutoModelForCausalLM.from_config(loaded.model.config, dtype=torch.float32).to(loaded.model.device)
    text = "\n".join(f"{e.input}\n{e.target}" for e in draw("reading", "train", 1_500, seed=run.seed).examples)
    ids = torch.tensor(loaded.tokenizer(text, add_special_tokens=False, verbose=False).input_ids)
    batches = ids[: len(ids) // 512 * 512].view(-1, 8, 64)  # each batch is (B=8, T=64)
    losses = []
    with run.progress("train", steps) as bar:
        for step in range(steps):
            batch = batches[step % len(batches)].to(untrained.device)
            loss = untrained(batch, labels=batch).loss  # how surprised the model is by the next token
            loss.backward()  # the gradient for every parameter at once
            with torch.no_grad():
                for parameter in untrained.parameters():
                    parameter.sub_(learning_rate * parameter.grad)  # the same step as in `descend`
                    parameter.grad = None
            losses.append(float(loss.detach()))
            if not math.isfinite(losses[-1]):
                return losses[:-1]  # it diverged
            run.log(step, loss=losses[-1])
            bar.advance(1, loss=losses[-1])
    return losses


def _draw(X: Tensor, y: Tensor, paths: dict[str, list[Tensor]], losses: dict[str, list[float]]) -> Figure:
    """The loss surface with the paths of three learning rates, and the loss at each step."""
    titles = ("paths on the loss surface", "loss at each step")
    figure, [valley, curves] = panels(columns=2, height=3.2, width=8.0, titles=titles)
    _draw_valley(valley, X, y)
    for colour, name in zip(PALETTE[:3], paths, strict=True):
        path = [w.tolist() for w in paths[name]]
        valley.plot(*zip(*path, strict=True), "o-", color=colour, markersize=2.5, linewidth=1, label=f"{name} steps")
    valley.plot(*TRUE_W, "*", color="black", markersize=9)
    for colour, name in zip(PALETTE, losses, strict=False):
        curves.plot([max(loss, 1e-6) for loss in losses[name]], color=colour, label=name)
    curves.set(xlabel="step", ylabel="mean squared error", yscale="log")
    curves.set(ylim=(0.1, 1e4))
    curves.legend(frameon=False, fontsize=8)
    return figure


def _draw_valley(axes: Axes, X: Tensor, y: Tensor) -> None:
    import torch

    across, up = torch.linspace(-1, 4, 41).tolist(), torch.linspace(-4, 1, 41).tolist()
    height: Sequence[Sequence[float]] = [
        [mean_squared_error(X, y, torch.tensor([a, b], dtype=X.dtype)) for a in across] for b in up
    ]
    axes.contour(across, up, height, levels=10, colors="#808080", linewidths=0.6)
    axes.set(xlabel="first parameter", ylabel="second parameter")
    axes.set(xlim=(-1, 4), ylim=(-4, 1))
