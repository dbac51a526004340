"""Density ratios, matched by a Bregman divergence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from torch import Tensor
from torch.nn.functional import softplus

from tacit.core.parts import Objective
from tacit.errors import InputError, suggest
from tacit.objectives._positive import log_softplus


class Generator(NamedTuple):
    """A convex f as functions of (r, log r): f itself, its slope f', and r·f'(r) − f(r)."""

    f: Callable[[Tensor, Tensor], Tensor]
    slope: Callable[[Tensor, Tensor], Tensor]
    dual: Callable[[Tensor, Tensor], Tensor]


FAMILIES: dict[str, Generator] = {
    "logistic": Generator(
        lambda r, log: r * log - (1 + r) * softplus(log), lambda r, log: -softplus(-log), lambda r, log: softplus(log)
    ),
    "kl": Generator(lambda r, log: r * log - r + 1, lambda r, log: log, lambda r, log: r - 1),
    "pearson": Generator(
        lambda r, log: 0.5 * (r - 1).square(), lambda r, log: r - 1, lambda r, log: 0.5 * (r.square() - 1)
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Bregman(Objective):
    """min_D E_q[f'(r)r − f(r)] − E_p[f'(r)], min_G E_q f(r): ratio matching (b-GAN; Uehara et al. 2016, arXiv:1610.02920).

    D's output v ``(B,)`` is read as a ratio r = r(v) > 0. The critic's loss is, but for −D_f(p ‖ q), the Bregman divergence
    E_q[f(p/q) − f(r) − f'(r)(p/q − r)], least at r = p/q (p data, q generator), where minus the loss is D_f(p ‖ q) = E_q f(p/q).

    The paper's generator minimises the divergence that r estimates, E_q f(r), with r held fixed; as a function of the samples
    that falls with D_f only where f falls, which logistic f does everywhere and kl and pearson do for r < 1: there a sample
    climbs to r = 1 and stays. ``generator_by="bound"`` pays E_q[f(r) − r·f'(r)] instead, whose gradient at r = p/q is D_f's.

    Args:
        divergence: logistic (f = r log r − (1 + r) log(1 + r): D_f = 2·JSD − log 4), kl (f = r log r − r + 1: KL(p ‖ q)) or
            pearson (f = ½(r − 1)²: ½χ²(p ‖ q), least-squares ratio matching).
        link: r = softplus(v), or e^v (with pearson the loss then grows like e^(2v), past float32 where v > 44).
        generator_by: estimate (the paper's) or bound.
        relative: α of the relative ratio p/(αp + (1 − α)q) ≤ 1/α, which takes the place of p/q, and αp + (1 − α)q of q;
            0 is the plain ratio.

    >>> import torch
    >>> o = Bregman("kl", link="exp")
    >>> o.ratio(torch.zeros(2)).tolist(), round(o.critic(torch.zeros(2), torch.zeros(2)).item(), 6)
    ([1.0, 1.0], 0.0)
    """

    divergence: Literal["logistic", "kl", "pearson"] = "logistic"
    link: Literal["softplus", "exp"] = "softplus"
    generator_by: Literal["estimate", "bound"] = "estimate"
    relative: float = 0.0
    output: ClassVar[str] = "value"

    def validate(self) -> None:
        for name, known in (
            ("divergence", tuple(FAMILIES)), ("link", ("softplus", "exp")), ("generator_by", ("estimate", "bound")),
        ):  # fmt: skip
            got = getattr(self, name)
            if got not in known:
                raise InputError(
                    f"Bregman got {name}={got!r}{suggest(str(got), known) or ';'} expected one of: {', '.join(known)}; choose one"
                )
        if not 0 <= self.relative < 1:
            raise InputError(f"Bregman got relative={self.relative}; expected α in [0, 1); 0 is the plain ratio, try 0.1")

    def log_ratio(self, v: Tensor) -> Tensor:
        """log r(v); v of any shape, growing in v."""
        return v if self.link == "exp" else log_softplus(v)

    def ratio(self, v: Tensor) -> Tensor:
        """r(v) > 0, the estimate of p/q, or of the relative ratio."""
        return v.exp() if self.link == "exp" else softplus(v)

    def f(self, v: Tensor) -> Tensor:
        """f(r(v)) of each output."""
        return FAMILIES[self.divergence].f(self.ratio(v), self.log_ratio(v))

    def f_at(self, ratio: Tensor) -> Tensor:
        """f at ratios > 0; f(1) is the divergence of equals (0, and −log 4 for logistic)."""
        return FAMILIES[self.divergence].f(ratio, ratio.log())

    def slope(self, v: Tensor) -> Tensor:
        """f'(r(v)) of each output."""
        return FAMILIES[self.divergence].slope(self.ratio(v), self.log_ratio(v))

    def dual(self, v: Tensor) -> Tensor:
        """r·f'(r) − f(r), r = r(v), of each output."""
        return FAMILIES[self.divergence].dual(self.ratio(v), self.log_ratio(v))

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        a = self.relative
        base = self.dual(fake).mean() if a == 0 else a * self.dual(real).mean() + (1 - a) * self.dual(fake).mean()
        return base - self.slope(real).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        paid = self.f(fake) if self.generator_by == "estimate" else -self.dual(fake)
        return (1 - self.relative) * paid.mean()
