"""Adversarial divergences: what a generator minimises when its opponent is as good as its family allows.

    τ(μ ‖ ν) = sup over f in F of E[f(x, y)],   x ~ μ (data) and y ~ ν (generator) independent.

Five families, each from critics v, lettered as in the paper:

    (a) GAN       log σ(v(x)) + log(1 − σ(v(y)))                  any v                  2 JS − log 4
    (b) f-GAN     v(x) − f*(v(y))                                 v in the domain of f*  D_f(μ ‖ ν)
    (c) MMD-GAN   v(x) − v(y)                                     the RKHS's unit ball   MMD
    (d) WGAN      v(x) − v(y)                                     |v|_Lip ≤ K            K·W₁
    (e) WGAN-GP   v(x) − v(y) − η E_t (‖∇v(tx + (1 − t)y)‖ − 1)^p     differentiable v       W₁ + ∫ g²/(4ηρ) on the line, p = 2

All five are strict: τ(μ ‖ ·) is least at μ and nowhere else. Then τ(μ ‖ ν_n) → its least implies ν_n → μ weakly. The
converse holds on bounded sets for (c) and (d), and for (e) on the line: these see that δ_{1/n} nears δ_0. It fails for (a), (b).
With critics θ·φ of a few features the divergence is not strict: it is least wherever E φ agrees.

Every f = m − r. At the neutral critic m has mean 0 (at least 0 for (e)) and r is as small as it can be, so that τ is at least
−min r always, and equal to it where no critic does better; moving θ from the neutral critic then pays by the gap of E φ alone.

Source: Liu, Bousquet & Chaudhuri 2017, arXiv:1705.08991.
"""

from __future__ import annotations

from tacit.metrics.adversarial.base import AdversarialDivergence, Supremum
from tacit.metrics.adversarial.conjugate import CONVEX, FGANDivergence, GANDivergence
from tacit.metrics.adversarial.linear import MMDDivergence, WGANDivergence
from tacit.metrics.adversarial.penalised import WGANGPDivergence

__all__ = [
    "CONVEX", "AdversarialDivergence", "FGANDivergence", "GANDivergence", "MMDDivergence", "Supremum", "WGANDivergence",
    "WGANGPDivergence", "adversarial_divergences",
]  # fmt: skip


def adversarial_divergences() -> tuple[AdversarialDivergence, ...]:
    """(a) to (e) with their usual settings, (b) for each of its divergences."""
    return (
        GANDivergence(), *(FGANDivergence(name) for name in CONVEX), MMDDivergence(), WGANDivergence(), WGANGPDivergence(),
    )  # fmt: skip
