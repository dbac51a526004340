"""The earth mover's game with clipped weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tacit.core.game import Defaults
from tacit.core.parts import Objective, Penalty, Rule
from tacit.objectives.wasserstein import Wasserstein
from tacit.penalties.clipping import WeightClipping
from tacit.rules.optimisers import RMSProp
from tacit.systems.games.gan import GAN


@dataclass(frozen=True, kw_only=True)
class WGAN(GAN):
    """Wasserstein GAN: min_G max_D E D(x) − E D(G(z)) over critics whose weights lie in [−c, c].

    Five steps of D for each of G's, RMSProp for both. Clipped weights make D K-Lipschitz for a K that the architecture sets,
    so that minus the critic's loss estimates K·W₁(p, q); x ``(B, *shape)``, D's output is an unbounded value.

    Source: Arjovsky et al. 2017, arXiv:1701.07875.

    >>> import tacit
    >>> model = tacit.WGAN(prior=tacit.Gaussian(2)).fit("ring8", steps=5)
    >>> model.sample(3).shape
    (3, 2)
    """

    objective: Objective = field(default_factory=Wasserstein)
    penalty: Penalty = field(default_factory=WeightClipping)
    rule: Rule = field(default_factory=RMSProp)
    critic_rule: Rule = field(default_factory=RMSProp)
    critic_steps: int = 5
    paper: ClassVar[str] = "Arjovsky et al. 2017, arXiv:1701.07875"
    defaults: ClassVar[Defaults] = Defaults(steps=10_000, batch_size=64)
