"""The generative game by matching density ratios."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from tacit.core.nets import Nets
from tacit.core.parts import Objective
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.objectives.bregman import Bregman
from tacit.systems.games.gan import GAN


@dataclass(frozen=True, kw_only=True)
class BGAN(GAN):
    """b-GAN: D fits r ≈ p/q by a Bregman divergence, min_D E_q[f'(r)r − f(r)] − E_p[f'(r)], and G minimises D_f as r estimates it.

    x ``(B, *shape)`` ~ p, G(z) ~ q. ``score`` is log r(x), which is 0 everywhere once G is the data's distribution.

    Source: Uehara et al. 2016, arXiv:1610.02920.

    >>> import tacit
    >>> model = tacit.BGAN(prior=tacit.Gaussian(2)).fit("ring8", steps=10)
    >>> model.sample(3).shape
    (3, 2)
    """

    objective: Objective = field(default_factory=Bregman)
    paper: ClassVar[str] = "Uehara et al. 2016, arXiv:1610.02920"

    def validate(self) -> None:
        super().validate()
        if not isinstance(self.objective, Bregman):
            raise InputError(
                f"BGAN got the objective {type(self.objective).__name__}; expected Bregman, by which its D is a ratio; take GAN for others"
            )
        if self.pack > 1:
            raise InputError(f"BGAN got pack={self.pack}; expected 1, since its score is a row's own ratio; take GAN(objective=Bregman())")

    def score(self, n: Nets, x: Tensor, rng: Rng) -> Tensor:
        return self.objective.log_ratio(n.D(x))  # type: ignore[attr-defined]
