"""A generator that sees its discriminator's next steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from tacit.core.parts import Rule
from tacit.rules.optimisers import Adam
from tacit.rules.unrolled import Unrolled
from tacit.systems.games.gan import GAN


@dataclass(frozen=True, kw_only=True)
class UnrolledGAN(GAN):
    """Unrolled GAN: min_G L_G(θ_G, θ_D^K(θ_G)), θ_D^{k+1} = θ_D^k − step(∂L_D(θ_G, θ_D^k)/∂θ_D^k), θ_D^0 = θ_D, over any GAN.

    G is paid by the discriminator K steps ahead, and its gradient goes through those steps, so that it does not run after what
    D is about to unlearn; D itself moves as ever. x ``(B, *shape)``, z ~ prior. It is the rule :class:`tacit.rules.Unrolled` on G,
    which any other adversarial system takes as well; with ``steps=0`` it is GAN.

    Source: Metz et al. 2017, arXiv:1611.02163.

    Args:
        rule: how G moves: ``Unrolled(inner, steps=K, ahead=…)``.

    >>> import tacit
    >>> model = tacit.UnrolledGAN(prior=tacit.Gaussian(2)).fit("ring8", steps=3)
    >>> model.sample(3).shape
    (3, 2)
    """

    rule: Rule = field(default_factory=Unrolled)
    critic_rule: Rule = field(default_factory=lambda: Adam(1e-4, (0.5, 0.999)))
    paper: ClassVar[str] = "Metz et al. 2017, arXiv:1611.02163"
