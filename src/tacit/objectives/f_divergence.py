"""Divergences of the f family, estimated and minimised through their conjugates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from torch import Tensor, inf, xlogy
from torch.nn.functional import softplus
from torch.special import log_ndtr

from tacit.core.parts import Objective
from tacit.errors import InputError, suggest

LOG2 = math.log(2.0)


class Family(NamedTuple):
    """A divergence's functions; ``composed`` is f*(g_f(v)), written so that it stays finite where g_f rounds to the edge.

    ``slope`` and ``paid`` are f'(e^s) and f*(f'(e^s)) at log odds s, written likewise; ``odds`` is s where f'(e^s) = g_f(v).
    """

    f: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    conjugate: Callable[[Tensor], Tensor]
    edge: float
    threshold: float
    activation: Callable[[Tensor], Tensor]
    composed: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    paid: Callable[[Tensor], Tensor]
    odds: Callable[[Tensor], Tensor]


FAMILIES: dict[str, Family] = {
    "kl": Family(
        lambda u: xlogy(u, u), lambda u: 1 + u.log(), lambda t: (t - 1).exp(), inf, 1.0,
        lambda v: v, lambda v: (v - 1).exp(), lambda s: 1 + s, lambda s: s.exp(), lambda v: v - 1,
    ),
    "reverse-kl": Family(
        lambda u: -u.log(), lambda u: -1 / u, lambda t: -1 - (-t).log(), 0.0, -1.0,
        lambda v: -(-v).exp(), lambda v: v - 1, lambda s: -(-s).exp(), lambda s: s - 1, lambda v: v,
    ),
    "pearson": Family(
        lambda u: (u - 1).square(), lambda u: 2 * (u - 1), lambda t: t.square() / 4 + t, inf, 0.0,
        lambda v: v, lambda v: v.square() / 4 + v, lambda s: 2 * s.expm1(), lambda s: (2 * s).expm1(),
        lambda v: (v / 2).clamp_min(-1).log1p(),
    ),
    "squared-hellinger": Family(
        lambda u: (u.sqrt() - 1).square(), lambda u: 1 - u.rsqrt(), lambda t: t / (1 - t), 1.0, 0.0,
        lambda v: 1 - (-v).exp(), lambda v: v.exp() - 1, lambda s: 1 - (-s / 2).exp(), lambda s: (s / 2).exp() - 1, lambda v: 2 * v,
    ),
    "jensen-shannon": Family(
        lambda u: xlogy(u, u) - (u + 1) * ((1 + u) / 2).log(), lambda u: (2 * u / (1 + u)).log(),
        lambda t: -(2 - t.exp()).log(), LOG2, 0.0, lambda v: LOG2 - softplus(-v), lambda v: softplus(v) - LOG2,
        lambda s: LOG2 - softplus(-s), lambda s: softplus(s) - LOG2, lambda v: v,
    ),
    "gan": Family(
        lambda u: xlogy(u, u) - (u + 1) * (u + 1).log(), lambda u: (u / (1 + u)).log(),
        lambda t: -(-t.expm1()).log(), 0.0, -LOG2, lambda v: -softplus(-v), lambda v: softplus(v),
        lambda s: -softplus(-s), lambda s: softplus(s), lambda v: v,
    ),
}  # fmt: skip

LINKS: dict[str, Callable[[Tensor], Tensor]] = {
    "logistic": lambda v: v,
    "matsushita": lambda v: 2 * (v / 2).asinh(),
    "probit": lambda v: log_ndtr(v) - log_ndtr(-v),
}
"""Log odds log(η/(1 − η)) of the class probability η = Ψ⁻¹(v): the logistic function, ½ + v/√(16 + 4v²), the normal distribution's."""


@dataclass(frozen=True)
class FDivergence(Objective):
    """min_G max_V E g_f(V(x)) − E f*(g_f(V(G(z)))), at the best V equal to D_f(p ‖ q) = Σ q·f(p/q), p data, q generator.

    V is D's output, ``(B,)``, read through the activation g_f into the domain of the conjugate
    f*(t) = sup_u ut − f(u); the best is g_f(V*) = f'(p/q) (Nowozin et al. 2016, arXiv:1606.00709, tables 1, 2 and 6).
    KL's and squared Hellinger's f*∘g_f grows like e^V, and reverse KL's g_f falls like −e^(−V): those overflow in float32
    where |V| > 88, the others nowhere. The single-step method of the paper is ``GAN(simultaneous=True)``.

    With a ``link`` the critic is a proper composite loss (Nock et al. 2017, arXiv:1707.04385): V stands for the probability
    η = Ψ⁻¹(V) that a row is real, and is read as f'(η/(1 − η)) = −1/χ(η/(1 − η)), χ the signature for which the divergence is
    E_q[−log_χ(p/q)], log_χ(z) = ∫_1^z dt/χ(t); whatever V's scale, the best η is p/(p + q).

    Args:
        divergence: kl, reverse-kl, pearson, squared-hellinger, jensen-shannon (twice the usual: KL(p‖m) + KL(q‖m),
            m = (p + q)/2) or gan (that less log 4).
        alternative: G maximises E g_f(V(G(z))) instead, which keeps its gradients when V wins (section 3.2 of the paper).
        link: table (the activations g_f of Nowozin's table 6), canonical (V itself is f'(η/(1 − η)), which takes a divergence whose
            f' reaches every number: kl), logistic, matsushita or probit. Under matsushita, KL's and reverse KL's terms grow like V²
            and overflow nowhere.

    >>> import torch
    >>> d = FDivergence("kl")
    >>> u = torch.tensor([0.5, 1.0, 2.0])
    >>> bool(torch.allclose(d.f(u) + d.conjugate(d.derivative(u)), u * d.derivative(u)))
    True
    """

    divergence: Literal["kl", "reverse-kl", "pearson", "squared-hellinger", "jensen-shannon", "gan"] = "kl"
    alternative: bool = False
    link: Literal["table", "canonical", "logistic", "matsushita", "probit"] = "table"
    output: ClassVar[str] = "value"

    def validate(self) -> None:
        if self.divergence not in FAMILIES:
            raise InputError(
                f"FDivergence got divergence={self.divergence!r}{suggest(str(self.divergence), FAMILIES) or ';'} "
                f"expected one of: {', '.join(FAMILIES)}; choose one"
            )
        if self.link not in ("table", "canonical", *LINKS):
            raise InputError(
                f"FDivergence got link={self.link!r}{suggest(str(self.link), ('table', 'canonical', *LINKS)) or ';'} "
                f"expected one of: table, canonical, {', '.join(LINKS)}; choose one"
            )
        if self.link == "canonical" and self.divergence != "kl":
            span = "(-2, inf)" if self.divergence == "pearson" else f"(-inf, {self.edge:.4g})"
            raise InputError(
                f"FDivergence with divergence={self.divergence!r} and link='canonical' has no meaning, since its f' reaches only {span} "
                f"and V any number; expected a link into that range: {', '.join(LINKS)}; choose one, or divergence='kl'"
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
        family = FAMILIES[self.divergence]
        return family.slope(LINKS[self.link](v)) if self.link in LINKS else family.activation(v)

    def composed(self, v: Tensor) -> Tensor:
        """f*(g_f(v))."""
        family = FAMILIES[self.divergence]
        return family.paid(LINKS[self.link](v)) if self.link in LINKS else family.composed(v)

    def probability(self, v: Tensor) -> Tensor:
        """η = Ψ⁻¹(v), the probability that a row is real, half of the rows being so; pearson's g_f has none below v = −2: 0."""
        return LINKS.get(self.link, FAMILIES[self.divergence].odds)(v).sigmoid()

    def signature(self, u: Tensor) -> Tensor:
        """χ(u) = 1/(sup f' − f'(u)), with which the divergence is E_q[−log_χ(p/q)] up to f(1).

        Raises:
            InputError: f' has no supremum (kl, pearson), so that f is no −log_χ.
        """
        if math.isinf(self.edge):
            raise InputError(
                f"the divergence {self.divergence} has no signature, since its f' is unbounded; expected one of: "
                f"{', '.join(k for k, v in FAMILIES.items() if math.isfinite(v.edge))}; take one of those"
            )
        return 1 / (self.edge - self.derivative(u))

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        return self.composed(fake).mean() - self.activation(real).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        return -(self.activation(fake) if self.alternative else self.composed(fake)).mean()
