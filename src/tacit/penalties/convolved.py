"""Penalties that stand for noise on both sides: weighted gradient norms of the discriminator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from tacit.core.parts import Objective, Penalty
from tacit.errors import InputError, suggest
from tacit.penalties.gradient import slopes

CURVATURES: dict[str, Callable[[Tensor], Tensor]] = {
    "kl": lambda v: (v - 1).exp(),
    "reverse-kl": torch.ones_like,
    "pearson": lambda v: torch.full_like(v, 0.5),
    "squared-hellinger": lambda v: 2 * v.exp(),
    "jensen-shannon": torch.sigmoid,
    "gan": torch.sigmoid,
}
"""(f*)''(g_f(v))·g_f'(v)²: what multiplies ‖∇V‖² in (f*)''(ψ)·‖∇ψ‖², ψ = g_f(V)."""


class _Annealed(Penalty):
    abstract: ClassVar[bool] = True
    second_order: ClassVar[bool] = True
    weight: float
    decay: float

    def validate(self) -> None:
        if self.weight < 0 or not 0 < self.decay <= 1:
            raise InputError(
                f"{type(self).__name__} got weight={self.weight}, decay={self.decay}; expected weight >= 0 and decay in (0, 1]; "
                "the paper uses 0.1 and 1, or 2 and 0.01 where it anneals"
            )

    def gamma(self, progress: float) -> float:
        """γ at a share of the phase: weight·decay^progress."""
        return self.weight * self.decay**progress


@dataclass(frozen=True)
class JensenShannonNorm(_Annealed):
    """γ/2·Ω_JS, Ω_JS = E_x (1 − D(x))²‖∇φ(x)‖² + E_z D(G(z))²‖∇φ(G(z))‖², D = σ(φ) (Roth et al. 2017, arXiv:1705.09367, eq. 20).

    To first order in γ it is the game between data and samples that both carry noise of variance γ, without drawing any: supports
    of lower dimension then overlap. It weighs rows that D is wrong about most.

    Args:
        weight: γ at the start; the noise's variance, in units of the scaled data.
        decay: share of γ that is left at the end, by γ·decay^progress.
    """

    weight: float = 0.1
    decay: float = 1.0

    def agrees(self, objective: Objective) -> None:
        if objective.output != "logit":
            raise InputError(
                f"the penalty JensenShannonNorm with the objective {type(objective).__name__} has no meaning, since it weighs rows by "
                f"σ(D) and this D gives a {objective.output}; expected Minimax or NonSaturating; take GradientNorm or ConjugateNorm"
            )

    def __call__(
        self, net: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, eps: Tensor | None = None, step: int = 0, progress: float = 0.0
    ) -> Tensor:
        (on_real, real_slope), (on_fake, fake_slope) = slopes(net, real), slopes(net, fake)
        omega = ((-on_real).sigmoid() * real_slope).square().mean() + (on_fake.sigmoid() * fake_slope).square().mean()
        return 0.5 * self.gamma(progress) * omega


@dataclass(frozen=True)
class ConjugateNorm(_Annealed):
    """γ/2·Ω_f, Ω_f = E_z (f*)''(ψ)·‖∇ψ‖², ψ = g_f(D(G(z))): noise of variance γ in a game over D_f.

    Source: Roth et al. 2017, arXiv:1705.09367, eq. 19.

    Args:
        divergence: of the ``FDivergence`` that is played.
        weight: γ at the start, in units of the scaled data.
        decay: share of γ that is left at the end, by γ·decay^progress.
    """

    divergence: Literal["kl", "reverse-kl", "pearson", "squared-hellinger", "jensen-shannon", "gan"] = "kl"
    weight: float = 0.1
    decay: float = 1.0

    def validate(self) -> None:
        super().validate()
        if self.divergence not in CURVATURES:
            raise InputError(
                f"ConjugateNorm got divergence={self.divergence!r}{suggest(str(self.divergence), CURVATURES) or ';'} "
                f"expected one of: {', '.join(CURVATURES)}; choose one"
            )

    def agrees(self, objective: Objective) -> None:
        played = getattr(objective, "divergence", None)
        if played != self.divergence:
            which = f" of {played}" if played else ""
            raise InputError(
                f"the penalty ConjugateNorm of {self.divergence} with the objective {type(objective).__name__}{which} has no meaning, "
                f"since it weighs rows by that divergence's conjugate; expected FDivergence({self.divergence!r}); choose the same for both"
            )

    def __call__(
        self, net: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, eps: Tensor | None = None, step: int = 0, progress: float = 0.0
    ) -> Tensor:
        out, slope = slopes(net, fake)
        return 0.5 * self.gamma(progress) * (CURVATURES[self.divergence](out) * slope.square()).mean()
