"""Hidden activations v, and the signature χ of each: v' = χ(v), so that v is the exponential of a deformed family.

A density of the form exp_χ(φ(x)·θ − C(θ)) has exp_χ' = χ(exp_χ) and the logarithm log_χ(y) = ∫_1^y dt/χ(t); a generator whose
hidden layers are built on v factors into such densities. v is admissible where it is bounded below, growing and convex. The table
(Nock et al. 2017, arXiv:1707.04385, table 1), with v(0) = 0 by the choice of its free constant, and χ in terms of v itself:

    relu                max(0, z)                                   1 for v > 0
    leaky-relu:ε        z for z > 0, else ε·z                       1 for v > 0, else ε; 0 < ε ≤ 1
    elu:α:β             β·z for z > 0, else α(e^z − 1)              β for v > 0, else v + α; β ≥ α > 0
    log2-softplus       log₂(1 + e^z) − 1                           (1 − 2^(−v−1))/log 2
    mu-relu:μ           (z + √((1−μ)² + z²) − (1−μ))/2              4y²/((1−μ)² + 4y²), y = v + (1−μ)/2; 0 ≤ μ < 1
    lsu                 −1 for z < −1, 4z − 1 for z > 1,            2√(v + 1), at most 4
                        else (1 + z)² − 1 (least square unit)

The last three are k + τ*(z)/τ*(0), up to scale, with τ* the Legendre conjugate of a convex τ on [0, 1], symmetric about ½, with
τ(0) = τ(1) = 0: the negative Bayes risk of log loss, Matsushita's loss and square loss. ``parametric-relu:ε`` is the leaky one with
a learnt slope, and ``softplus`` the natural logarithm's, log(1 + e^z), of signature 1 − e^(−v); ``tanh`` and ``silu`` are not convex
and have no signature.

>>> v = activation("mu-relu:0.5")
>>> z = torch.tensor(0.7, requires_grad=True)
>>> (slope,) = torch.autograd.grad(v(z), z)
>>> bool(torch.isclose(slope, v.signature(v(z))))
True
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn, xlogy
from torch.nn.functional import leaky_relu, softplus

from tacit.core.part import Part
from tacit.errors import InputError, suggest

LOG2 = math.log(2.0)


class Deformed(nn.Module):
    """An activation v with its signature."""

    floor: float
    """inf v, which v may not reach."""

    def signature(self, v: Tensor) -> Tensor:
        """χ at a value of v: the slope that v has where it takes that value."""
        raise NotImplementedError

    def inverse(self, v: Tensor) -> Tensor:
        """z with v(z) = ``v``, for ``v`` above the floor; ∫dt/χ(t) from a to b is ``inverse(b) − inverse(a)``."""
        raise NotImplementedError


class ReLU(Deformed, nn.ReLU):
    floor = 0.0

    def signature(self, v: Tensor) -> Tensor:
        return (v > 0).to(v.dtype)

    def inverse(self, v: Tensor) -> Tensor:
        return v


class LeakyReLU(Deformed):
    floor = -math.inf

    def __init__(self, slope: float = 0.2):
        super().__init__()
        if not 0 < slope <= 1:
            raise InputError(f"leaky-relu got slope={slope}; expected a number in (0, 1]; the usual is 0.2")
        self.slope = slope

    def forward(self, z: Tensor) -> Tensor:
        return leaky_relu(z, self.slope)

    def signature(self, v: Tensor) -> Tensor:
        return torch.ones_like(v).where(v > 0, self.slope)

    def inverse(self, v: Tensor) -> Tensor:
        return v.where(v > 0, v / self.slope)


class ParametricReLU(Deformed, nn.PReLU):
    """One learnt slope for the layer."""

    floor = -math.inf

    def __init__(self, slope: float = 0.25):
        super().__init__(init=slope)

    def signature(self, v: Tensor) -> Tensor:
        return torch.where(v > 0, torch.ones_like(v), self.weight)

    def inverse(self, v: Tensor) -> Tensor:
        return v.where(v > 0, v / self.weight)


class ELU(Deformed):
    def __init__(self, alpha: float = 1.0, beta: float = 1.0):
        super().__init__()
        if not beta >= alpha > 0:
            raise InputError(f"elu got alpha={alpha}, beta={beta}; expected beta >= alpha > 0, or it is not convex; give e.g. elu:1:1")
        self.alpha, self.beta, self.floor = alpha, beta, -alpha

    def forward(self, z: Tensor) -> Tensor:
        return self.beta * z.clamp_min(0) + self.alpha * z.clamp_max(0).expm1()

    def signature(self, v: Tensor) -> Tensor:
        return torch.full_like(v, self.beta).where(v > 0, v + self.alpha)

    def inverse(self, v: Tensor) -> Tensor:
        return (v / self.beta).where(v > 0, (v.clamp_max(0) / self.alpha).log1p())


class Softplus(Deformed, nn.Softplus):
    floor = 0.0

    def signature(self, v: Tensor) -> Tensor:
        return -(-v).expm1()

    def inverse(self, v: Tensor) -> Tensor:
        return v + (-(-v).expm1()).log()


class Proper(Deformed):
    """scale·τ*(z) + k, k so that v(0) = 0."""

    scale: float

    def tau(self, u: Tensor) -> Tensor:
        """τ at u in [0, 1]: convex, symmetric about ½, 0 at the ends."""
        raise NotImplementedError


class Log2Softplus(Proper):
    floor, scale = -1.0, 1 / LOG2

    def forward(self, z: Tensor) -> Tensor:
        return softplus(z) / LOG2 - 1

    def signature(self, v: Tensor) -> Tensor:
        return -(-LOG2 * (v + 1)).expm1() / LOG2

    def inverse(self, v: Tensor) -> Tensor:
        y = LOG2 * (v + 1)
        return y + (-(-y).expm1()).log()

    def tau(self, u: Tensor) -> Tensor:
        return xlogy(u, u) + xlogy(1 - u, 1 - u)


class MuReLU(Proper):
    scale = 1.0

    def __init__(self, mu: float = 0.5):
        super().__init__()
        if not 0 <= mu < 1:
            raise InputError(f"mu-relu got mu={mu}; expected a number in [0, 1), near 1 for a sharp corner; the usual is 0.5")
        self.width = 1 - mu
        self.floor = -self.width / 2

    def forward(self, z: Tensor) -> Tensor:
        return 0.5 * (z + (z.square() + self.width**2).sqrt() - self.width)

    def signature(self, v: Tensor) -> Tensor:
        square = 4 * (v - self.floor).square()
        return square / (self.width**2 + square)

    def inverse(self, v: Tensor) -> Tensor:
        y = v - self.floor
        return y - self.width**2 / (4 * y)

    def tau(self, u: Tensor) -> Tensor:
        return -self.width * (u * (1 - u)).sqrt()


class LSU(Proper):
    floor, scale = -1.0, 4.0

    def forward(self, z: Tensor) -> Tensor:
        return (1 + z.clamp(-1, 1)).square() + 4 * (z - 1).clamp_min(0) - 1

    def signature(self, v: Tensor) -> Tensor:
        return (2 * (v + 1).clamp_min(0).sqrt()).clamp_max(4)

    def inverse(self, v: Tensor) -> Tensor:
        return ((v + 1).clamp_min(0).sqrt() - 1).where(v < 3, (v + 1) / 4)

    def tau(self, u: Tensor) -> Tensor:
        return u.square() - u


TABLE: dict[str, type[Any]] = {
    "relu": ReLU, "leaky-relu": LeakyReLU, "parametric-relu": ParametricReLU, "elu": ELU, "softplus": Softplus,
    "log2-softplus": Log2Softplus, "mu-relu": MuReLU, "lsu": LSU,
}  # fmt: skip
"""Activations with a signature, by name."""
MAKERS: dict[str, type[Any]] = {**TABLE, "tanh": nn.Tanh, "silu": nn.SiLU}
NUMBERS = {"leaky-relu": 1, "parametric-relu": 1, "elu": 2, "mu-relu": 1}
"""How many numbers an activation takes."""
ACTIVATIONS = tuple(MAKERS)


def activation(name: str) -> nn.Module:
    """An activation by its name, with its numbers after colons where it takes some: ``leaky-relu:0.1``, ``elu:1:2``.

    Raises:
        InputError: there is none of that name, it takes fewer numbers, or no such ones.
    """
    word, *rest = str(name).split(":")
    if word not in MAKERS:
        raise InputError(f"there is no activation '{name}'{suggest(word, ACTIVATIONS) or ';'} expected one of {', '.join(ACTIVATIONS)}")
    most = NUMBERS.get(word, 0)
    try:
        numbers = [float(text) for text in rest]
    except ValueError:
        numbers = [math.nan]
    if len(numbers) > most or not all(map(math.isfinite, numbers)):
        raise InputError(f"the activation '{name}' has unusable numbers; expected at most {most} after colons; give e.g. leaky-relu:0.1")
    made: nn.Module = MAKERS[word](*numbers)
    return made


def check_activations(part: Part, *fields: str) -> None:
    """Refuse a field that names no activation, saying whose it is (``InputError``)."""
    for name in fields:
        try:
            activation(getattr(part, name))
        except InputError as e:
            raise InputError(f"{type(part).__name__} got {name}={getattr(part, name)!r}: {e}") from None
