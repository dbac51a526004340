"""First-order optimisers of PyTorch as rules; fused kernels where they exist."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from tacit.core.field import Field
from tacit.core.parts import Rule, Stepper
from tacit.errors import InputError

Schedule = Literal["constant", "linear", "late-linear", "cosine"]


class OptimiserStepper(Stepper):
    """A ``torch.optim`` optimiser over a turn's weights."""

    def __init__(self, groups: Sequence[list[nn.Parameter]], make: type[torch.optim.Optimizer], rule: _Optimiser, **kw: Any):
        weights = [w for g in groups for w in g]
        fused = all(w.device.type in ("cpu", "cuda", "mps") and w.is_floating_point() for w in weights)
        if rule.fusable and fused:
            kw["fused"] = True
        self.weights, self.rule = weights, rule
        self.optimiser = make(weights, lr=rule.lr, **kw)  # type: ignore[call-arg]
        # The public step opens a profiler range each time, which costs as much as the update of a small network.
        self._update = inspect.unwrap(type(self.optimiser).step)

    def step(self, field: Field) -> None:
        for w, g in zip(self.weights, field(), strict=True):
            w.grad = _laid_out(g, w)
        with torch.no_grad():
            self._update(self.optimiser)
        for w in self.weights:
            w.grad = None

    def schedule(self, progress: float, scale: float) -> None:
        lr = self.rule.lr * scale * _decay(self.rule.schedule, progress)
        if self.rule.warmup > 0 and progress < self.rule.warmup:
            lr *= progress / self.rule.warmup
        for group in self.optimiser.param_groups:
            group["lr"] = lr

    def lr(self) -> float:
        return float(self.optimiser.param_groups[0]["lr"])

    def state(self) -> dict[str, Tensor]:
        state = self.optimiser.state_dict()["state"]
        return {f"{i}.{k}": torch.as_tensor(v) for i, s in state.items() for k, v in s.items() if v is not None}

    def load_state(self, state: dict[str, Tensor]) -> None:
        full = self.optimiser.state_dict()
        full["state"] = {}
        for key, v in state.items():
            i, _, k = key.partition(".")
            w = self.weights[int(i)]
            full["state"].setdefault(int(i), {})[k] = _laid_out(v, w) if v.shape == w.shape else v
        self.optimiser.load_state_dict(full)


def _laid_out(value: Tensor, weight: Tensor) -> Tensor:
    """``value`` in the memory layout of ``weight``: fused kernels walk both in storage order and check neither."""
    return value if value.stride() == weight.stride() else torch.empty_like(weight).copy_(value)


def _decay(schedule: str, progress: float) -> float:
    if schedule == "linear":
        return 1.0 - progress
    if schedule == "late-linear":
        return min(1.0, 2.0 - 2.0 * progress)
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * progress))
    return 1.0


Memory = dict[str, list[Tensor]]
"""What a rule that looks ahead knows of the gradients so far: lists as long as the weights."""


class _Optimiser(Rule):
    abstract: ClassVar[bool] = True
    fusable: ClassVar[bool] = True
    lr: float
    schedule: Schedule
    warmup: float

    def validate(self) -> None:
        if not self.lr > 0:
            raise InputError(f"{type(self).__name__} got lr={self.lr}; expected a positive learning rate; try 2e-4")
        if self.schedule not in get_args(Schedule):
            raise InputError(
                f"{type(self).__name__} got schedule={self.schedule!r}; expected one of: {', '.join(get_args(Schedule))}"
            )
        if not 0 <= self.warmup < 1:
            raise InputError(
                f"{type(self).__name__} got warmup={self.warmup}; expected a share of the phase in [0, 1); try 0.05"
            )


@dataclass(frozen=True)
class Adam(_Optimiser):
    """Adam (Kingma & Ba 2015, arXiv:1412.6980), or AdamW when ``weight_decay > 0`` (Loshchilov 2019, arXiv:1711.05101).

    Where √v̂ changes slowly it is a heavy ball with friction, the reading on which the theory of two time scales rests: with
    h = lr/(√v̂ + eps), w_{t+1} − w_t = β₁(w_t − w_{t−1}) − h(1 − β₁)g_t, which is ẅ + a·ẇ + g = 0 in steps of √(h(1 − β₁)) of
    time, of friction a = √((1 − β₁)/h).

    Args:
        lr: learning rate at the start.
        betas: decay of the first and second moments.
        schedule: of the rate over the phase: constant; linear or cosine to 0; late-linear, constant for half of it, then
            linear to 0.
        warmup: share of the phase with a linear rise.

    >>> Adam(2e-4, (0.5, 0.999)).lr
    0.0002
    """

    lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 0.0
    schedule: Schedule = "constant"
    warmup: float = 0.0
    eps: float = 1e-8

    def bind(self, groups: Sequence[list[nn.Parameter]]) -> Stepper:
        make = torch.optim.AdamW if self.weight_decay else torch.optim.Adam
        return OptimiserStepper(groups, make, self, betas=tuple(self.betas), weight_decay=self.weight_decay, eps=self.eps)

    def ahead(self, weights: Sequence[Tensor], grads: Sequence[Tensor], past: Memory) -> tuple[list[Tensor], Memory]:
        """The step as new tensors, differentiable in weights and gradients; ``past`` has the moments before it."""
        b1, b2 = self.betas
        t = past.get("t", [grads[0].new_zeros(())])[0] + 1
        m0, v0 = (past.get(k) or [torch.zeros_like(g) for g in grads] for k in "mv")
        m = [b1 * a + (1 - b1) * g for a, g in zip(m0, grads, strict=True)]
        v = [b2 * a + (1 - b2) * g * g for a, g in zip(v0, grads, strict=True)]
        # The root has no slope at 0, where gradients of inactive units lie.
        sizes = [(a / (1 - b2**t) + 1e-24).sqrt() + self.eps for a in v]
        moved = [
            w * (1 - self.lr * self.weight_decay) - self.lr * (a / (1 - b1**t)) / s for w, a, s in zip(weights, m, sizes, strict=True)
        ]
        return moved, {"t": [t], "m": m, "v": v}


@dataclass(frozen=True)
class RMSProp(_Optimiser):
    """RMSProp (Tieleman & Hinton 2012)."""

    lr: float = 5e-5
    alpha: float = 0.99
    schedule: Schedule = "constant"
    warmup: float = 0.0
    fusable: ClassVar[bool] = False

    def bind(self, groups: Sequence[list[nn.Parameter]]) -> Stepper:
        return OptimiserStepper(groups, torch.optim.RMSprop, self, alpha=self.alpha, foreach=True)


@dataclass(frozen=True)
class SGD(_Optimiser):
    """Stochastic gradient descent, with momentum if asked: w ← w − lr·v (the plain gradient play of a game)."""

    lr: float = 1e-2
    momentum: float = 0.0
    schedule: Schedule = "constant"
    warmup: float = 0.0

    def bind(self, groups: Sequence[list[nn.Parameter]]) -> Stepper:
        return OptimiserStepper(groups, torch.optim.SGD, self, momentum=self.momentum)

    def ahead(self, weights: Sequence[Tensor], grads: Sequence[Tensor], past: Memory) -> tuple[list[Tensor], Memory]:
        """The step as new tensors, differentiable in weights and gradients; ``past`` has the momentum before it."""
        m = past.get("m") or [torch.zeros_like(g) for g in grads]
        m = [self.momentum * a + g for a, g in zip(m, grads, strict=True)]
        return [w - self.lr * a for w, a in zip(weights, m, strict=True)], {"m": m} if self.momentum else {}
