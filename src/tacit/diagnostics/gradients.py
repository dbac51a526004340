"""What a generator's gradient is worth as its critic is taught on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from tacit.core.field import Field
from tacit.core.game import Round, System
from tacit.core.nets import Nets
from tacit.core.parts import Objective
from tacit.diagnostics.answers import loss_of, respond
from tacit.diagnostics.copies import copied, rng_of, rounds_of
from tacit.errors import NotSupported
from tacit.model import Model


@dataclass(frozen=True)
class Vanishing:
    """What G learns from a discriminator that is trained while G stands still.

    Attributes:
        steps: D's updates, ``(k,)``.
        error: D's error on data and samples, in [0, ½], ``(k,)``.
        loss: what D minimises, ``(k,)``.
        norms: by objective, ‖E g‖ of G's gradient, ``(k,)``.
        spread: by objective, the root mean squared distance of a round's gradient to that mean, ``(k,)``.
    """

    steps: np.ndarray
    error: np.ndarray
    loss: np.ndarray
    norms: dict[str, np.ndarray]
    spread: dict[str, np.ndarray]

    def decades(self, name: str) -> float:
        """Powers of ten by which the gradient falls, from its largest reading to the last."""
        values = np.maximum(self.norms[name], np.finfo(np.float64).tiny)
        return float(np.log10(values.max() / values[-1]))


def vanishing(
    model: Model, X: Any, objectives: Mapping[str, Objective] | None = None, *, steps: int = 4000, readings: int = 20,
    rows: int = 256, rounds: int = 4, seed: int = 0, **options: Any,
) -> Vanishing:  # fmt: skip
    """Freeze G, train a new D, and watch D's error and the size of G's gradient (Arjovsky & Bottou 2017, arXiv:1701.04862, section 2).

    Where the supports of data and samples hardly meet, D's error goes to 0 and with it the gradient of log(1 − D(G(z))); that of
    −log D(G(z)) does not vanish but scatters.

    Args:
        model, X: a fitted adversarial model, and data.
        objectives: whose gradients of G are measured, by name; the model's own where none are given.
        steps, readings: D's updates, and how often it is looked at, ever more rarely.
        rows, rounds: a gradient is the mean of so many rounds of so many rows.
        seed: of D's weights and of all noise.
        **options: of ``fit``.

    Raises:
        NotSupported: a system without an objective or a discriminator of rows.
    """
    system = model.system
    if not hasattr(system, "objective") or not hasattr(system, "verdict"):
        raise NotSupported(f"{type(system).__name__} has no objective over a discriminator of rows; expected a GAN; take one")
    game: Any = system
    paid = {k: replace(game, objective=o) for k, o in (objectives or {"own": game.objective}).items()}
    logit = game.objective.output == "logit"
    taken: list[tuple[int, float, float, dict[str, tuple[float, float]]]] = []

    wanted = {int(s) for s in np.geomspace(1, steps, readings).round()}

    def look(state: dict[str, Any]) -> None:
        if state["step"] not in wanted:
            return
        n = copied(Model(system, model.spec, state["nets"]), torch.float64)
        drawn = rounds_of(model, n, X, rows, rounds, seed + 1, "generator", 1.0)
        sizes = {k: _gradient(game, n, drawn) for k, game in paid.items()}
        x = torch.cat([r.x for r in drawn])
        with torch.no_grad():
            fake = game.sample(n, len(x), rng_of(n, seed + 2))
            real_out, fake_out = (game.verdict(n.train(False), t) for t in (x, fake))
        n.train()
        edge = 0.0 if logit else float(real_out.mean() + fake_out.mean()) / 2
        wrong = ((real_out <= edge).double().mean() + (fake_out > edge).double().mean()) / 2
        critic = next(p for p in system.players() if p.name == "critic")
        loss = float(np.mean([loss_of(system, critic, n, r) for r in drawn]))
        taken.append((state["step"], float(wrong), loss, sizes))

    respond(model, X, "critic", steps=steps, fresh=True, seed=seed, callbacks=[look], log_every=1, **options)
    names = list(paid)
    return Vanishing(
        np.array([t[0] for t in taken]), np.array([t[1] for t in taken]), np.array([t[2] for t in taken]),
        {k: np.array([t[3][k][0] for t in taken]) for k in names}, {k: np.array([t[3][k][1] for t in taken]) for k in names},
    )  # fmt: skip


def _gradient(system: System, n: Nets, rounds: list[Round]) -> tuple[float, float]:
    """‖mean‖ of the generator's gradients over rounds, and their root mean squared distance to it."""
    player = next(p for p in system.players() if p.name == "generator")
    grads = []
    for r in rounds:
        field = Field(system, n, [player], [r])
        field._foreign = n.buffers()
        with torch.no_grad():
            grads.append(torch.cat([g.reshape(-1) for g in field()]))
    all_ = torch.stack(grads)
    mean = all_.mean(0)
    return float(mean.norm()), float((all_ - mean).square().sum(1).mean().sqrt())
