"""Divergences of the f family, estimated and minimised through their conjugates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from torch import Tensor, inf, xlogy
from torch.nn.functional import softplus

from tacit.core.parts import Objective
from tacit.errors import InputError, suggest

LOG2 = math.log(2.0)


class Family(NamedTuple):
    """A divergence's functions; ``composed`` is f*(g_f(v)), written so that it stays finite where g_f rounds to the edge."""

    f: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    conjugate: Callable[[Tensor], Tensor]
    edge: float
    threshold: float
    activation: Callable[[Tensor], Tensor]
    composed: Callable[[Tensor], Tensor]


FAMILIES: dict[str, Family] = {
    "kl": Family(
        lambda u: xlogy(u, u), lambda u: 1 + u.log(), lambda t: (t - 1).exp(), inf, 1.0,
        lambda v: v, lambda v: (v - 1).exp(),
    ),
    "reverse-kl": Family(
        lambda u: -u.log(), lambda u: -1 / u, lambda t: -1 - (-t).log(), 0.0, -1.0,
        lambda v: -(-v).exp(), lambda v: v - 1,
    ),
    "pearson": Family(
        lambda u: (u - 1).square(), lambda u: 2 * (u - 1), lambda t: t.square() / 4 + t, inf, 0.0,
        lambda v: v, lambda v: v.square() / 4 + v,
    ),
    "squared-hellinger": Family(
        lambda u: (u.sqrt() - 1).square(), lambda u: 1 - u.rsqrt(), lambda t: t / (1 - t), 1.0, 0.0,
        lambda v: 1 - (-v).exp(), lambda v: v.exp() - 1,
    ),
    "jensen-shannon": Family(
        lambda u: xlogy(u, u) - (u + 1) * ((1 + u) / 2).log(), lambda u: (2 * u / (1 + u)).log(),
        lambda t: -(2 - t.exp()).log(), LOG2, 0.0, lambda v: LOG2 - softplus(-v), lambda v: softplus(v) - LOG2,
    ),
    "gan": Family(
        lambda u: xlogy(u, u) - (u + 1) * (u + 1).log(), lambda u: (u / (1 + u)).log(),
        lambda t: -(-t.expm1()).log(), 0.0, -LOG2, lambda v: -softplus(-v), lambda v: softplus(v),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class FDivergence(Objective):
    """min_G max_V E g_f(V(x)) − E f*(g_f(V(G(z)))), at the best V equal to D_f(p ‖ q) = Σ q·f(p/q), p data, q generator.

    V is D's output, ``(B,)``, read through the activation g_f into the domain of the conjugate
    f*(t) = sup_u ut − f(u); the best is g_f(V*) = f'(p/q) (Nowozin et al. 2016, arXiv:1606.00709, tables 1, 2 and 6).
    KL's and squared Hellinger's f*∘g_f grows like e^V, and reverse KL's g_f falls like −e^(−V): those overflow in float32
    where |V| > 88, the others nowhere. The single-step method of the paper is ``GAN(simultaneous=True)``.

    Args:
        divergence: kl, reverse-kl, pearson, squared-hellinger, jensen-shannon (twice the usual: KL(p‖m) + KL(q‖m),
            m = (p + q)/2) or gan (that less log 4).
        alternative: G maximises E g_f(V(G(z))) instead, which keeps its gradients when V wins (section 3.2 of the paper).

    >>> import torch
    >>> d = FDivergence("kl")
    >>> u = torch.tensor([0.5, 1.0, 2.0])
    >>> bool(torch.allclose(d.f(u) + d.conjugate(d.derivative(u)), u * d.derivative(u)))
    True
    """

    divergence: Literal["kl", "reverse-kl", "pearson", "squared-hellinger", "jensen-shannon", "gan"] = "kl"
    alternative: bool = False
    output: ClassVar[str] = "value"

    def validate(self) -> None:
        if self.divergence not in FAMILIES:
            raise InputError(
                f"FDivergence got divergence={self.divergence!r}{suggest(str(self.divergence), FAMILIES) or ';'} "
                f"expected one of: {', '.join(FAMILIES)}; choose one"
            )

    @property
    def threshold(self) -> float:
        """f'(1): a row is taken for real where g_f(V) is above it."""
        return FAMILIES[self.divergence].threshold

    @property
    def edge(self) -> float:
        """The supremum of the conjugate's domain, which is open there (∞ where it is the whole line)."""
        return FAMILIES[self.divergence].edge

    def f(self, u: Tensor) -> Tensor:
        """f at ratios u > 0; f(1) is the divergence of equals (0, and −log 4 for gan)."""
        return FAMILIES[self.divergence].f(u)

    def derivative(self, u: Tensor) -> Tensor:
        """f'(u): what g_f(V) is at its best, at the ratio u = p/q."""
        return FAMILIES[self.divergence].derivative(u)

    def conjugate(self, t: Tensor) -> Tensor:
        """f*(t); ∞ at the edge of its domain and beyond."""
        return FAMILIES[self.divergence].conjugate(t).where(t < self.edge, inf)

    def activation(self, v: Tensor) -> Tensor:
        """g_f(v), growing, into the domain of the conjugate."""
        return FAMILIES[self.divergence].activation(v)

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        return FAMILIES[self.divergence].composed(fake).mean() - self.activation(real).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        return -(self.activation(fake) if self.alternative else FAMILIES[self.divergence].composed(fake)).mean()
