"""Networks so small that their games have closed forms: to learn what a rule, a penalty or an objective does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tacit.core.parts import Networks, Prior
from tacit.errors import InputError
from tacit.networks.layers import Scalar


class Point(nn.Module):
    """G(z) = θ, whatever z is: ``(B, …)`` → ``(B, d)``."""

    def __init__(self, dim: int, theta: float):
        super().__init__()
        self.theta = nn.Parameter(torch.full((dim,), float(theta)))

    def forward(self, z: Tensor) -> Tensor:
        return self.theta.expand(len(z), -1).clone()


class Affine(nn.Module):
    """G(z) = a·z + b, one a and b for each of d entries: ``(B, d)`` → ``(B, d)``."""

    def __init__(self, dim: int, a: float, b: float):
        super().__init__()
        self.a, self.b = (nn.Parameter(torch.full((dim,), float(v))) for v in (a, b))

    def forward(self, z: Tensor) -> Tensor:
        return self.a * z + self.b


class Powers(nn.Module):
    """(x², x): ``(B, d)`` → ``(B, 2d)``."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.square(), x], 1)


class _Closed(Networks):
    abstract = True

    def check(self, spec: Any) -> None:
        if len(spec.shape) != 1:
            raise InputError(f"{type(self).__name__} got data of shape {tuple(spec.shape)}; expected vectors (d,); use networks=MLP()")

    def encoder(self, spec: Any, out: int) -> nn.Module:
        raise self._lacks("encoder")

    def decoder(self, dim: int, spec: Any) -> nn.Module:
        raise self._lacks("decoder")

    def _lacks(self, what: str) -> InputError:
        who = type(self).__name__
        return InputError(f"{who} got asked for an {what}, which its game does not have; expected a GAN; use networks=MLP()")


@dataclass(frozen=True)
class Dirac(_Closed):
    """The Dirac game: G(z) = θ whatever z is, D(x) = ψ·x; with data at 0 the equilibrium is θ = ψ = 0.

    For an objective with the slope c = h'(0) in both players (½ for the minimax game, 1 for Wasserstein's) the field near the
    equilibrium is the rotation v = (∂_ψ L_D, ∂_θ L_G) = (cθ, −cψ), to which R1 or weight decay add γψ (Mescheder et al. 2018,
    arXiv:1801.04406, section 2).

    Args:
        theta, psi: where the players start, in every entry.

    >>> import numpy as np, tacit
    >>> game = tacit.GAN(networks=tacit.networks.Dirac(), prior=tacit.Gaussian(1), penalty=tacit.GradientNorm(1.0))
    >>> float(game.fit(np.zeros((4, 1)), steps=3).nets.G.theta.detach()) > 1
    True
    """

    theta: float = 1.0
    psi: float = 1.0

    def generator(self, prior: Prior, spec: Any) -> nn.Module:
        self.check(spec)
        return Point(spec.shape[0], self.theta)

    def critic(self, spec: Any, out: int = 1) -> nn.Module:
        self.check(spec)
        layer = nn.Linear(spec.shape[0], out, bias=False)
        nn.init.constant_(layer.weight, self.psi)
        return nn.Sequential(layer, Scalar()) if out == 1 else layer


@dataclass(frozen=True)
class LinearQuadratic(_Closed):
    """The linear-quadratic game: G(z) = a·z + b, D(x) = w₂·x² + w₁·x, each entry for itself; the prior is as wide as the data.

    With x and z uniform on [−1, 1] Wasserstein's value is w₂(1 − a² − 3b²)/3 − w₁b: play circles around a = 1, b = w = 0 and does
    not get there (Nagarajan & Kolter 2017, arXiv:1706.04156, section 5).

    Args:
        a, b: where G starts. w2, w1: where D starts.

    >>> import numpy as np, tacit
    >>> game = tacit.GAN(networks=tacit.networks.LinearQuadratic(), prior=tacit.priors.Uniform(1))
    >>> game.fit(np.linspace(-1, 1, 64)[:, None], steps=3).sample(2).shape
    (2, 1)
    """

    a: float = 0.5
    b: float = 0.0
    w2: float = 0.5
    w1: float = 0.0

    def generator(self, prior: Prior, spec: Any) -> nn.Module:
        self.check(spec)
        if prior.dim != spec.shape[0]:
            raise InputError(
                f"LinearQuadratic got a prior of width {prior.dim} for data of width {spec.shape[0]}; expected the same; "
                f"give e.g. prior=Uniform({spec.shape[0]})"
            )
        return Affine(spec.shape[0], self.a, self.b)

    def critic(self, spec: Any, out: int = 1) -> nn.Module:
        self.check(spec)
        d = spec.shape[0]
        layer = nn.Linear(2 * d, out, bias=False)
        with torch.no_grad():
            layer.weight[:, :d], layer.weight[:, d:] = self.w2, self.w1
        return nn.Sequential(Powers(), layer, *([Scalar()] if out == 1 else []))
