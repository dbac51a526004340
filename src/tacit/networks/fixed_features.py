"""Critics that are linear in features which never move."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from math import comb, prod
from typing import Any

import torch
from torch import Tensor, nn

from tacit.core.parts import Networks, Prior
from tacit.errors import InputError
from tacit.networks.layers import Centre, Scalar
from tacit.networks.mlp import MLP

MOST = 20_000
"""Features that a critic may have."""


class Features(nn.Module):
    """φ(x): monomials of the entries of x, then random cosines, ``(B, …)`` → ``(B, k)``; nothing is trained.

    Args:
        dim: numbers in a row.
        degree: all monomials of degree 1 … ``degree``; 0 for none.
        fourier: how many cos(ω·x + b), ω ~ N(0, I/scale²), b ~ U[0, 2π].
        scale: of the cosines, in units of x.
        seed: of ω and b.

    >>> Features(2, degree=2)(torch.tensor([[2.0, 3.0]])).tolist()
    [[2.0, 3.0, 4.0, 6.0, 9.0]]
    """

    omega: Tensor
    phase: Tensor

    def __init__(self, dim: int, degree: int = 2, fourier: int = 0, scale: float = 1.0, seed: int = 0):
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.register_buffer("omega", torch.randn(dim, fourier, generator=g) / scale)
        self.register_buffer("phase", 2 * torch.pi * torch.rand(fourier, generator=g))
        for k in range(1, degree + 1):
            self.register_buffer(f"of{k}", torch.tensor(list(combinations_with_replacement(range(dim), k))))
        self.degree, self.size = degree, n_features(dim, degree, fourier)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        made = [x[:, getattr(self, f"of{k}")].prod(2) for k in range(1, self.degree + 1)]
        return torch.cat([*made, (x @ self.omega.to(x.dtype) + self.phase.to(x.dtype)).cos()], 1)


def n_features(dim: int, degree: int, fourier: int) -> int:
    """How many features :class:`Features` gives."""
    return comb(dim + degree, degree) - 1 + fourier


@dataclass(frozen=True)
class FixedFeatures(Networks):
    """D(x) = θ·φ(x) + θ₀ with fixed features φ, so that G need only match E φ; the other networks are those of ``networks``.

    Where D's objective is least at a constant D exactly for E φ(x) = E φ(G(z)), G stops once these moments agree, though the
    densities differ (Liu, Bousquet & Chaudhuri 2017, arXiv:1705.08991).

    Args:
        networks: architecture of G, encoders and decoders.
        degree: monomials of the entries of x up to this degree.
        fourier: random cosines beside them.
        scale: of the cosines, in units of x as the networks see it.
        seed: of the cosines, part of the architecture's identity.

    >>> import tacit
    >>> networks = FixedFeatures(networks=tacit.MLP(widths=(16,)), degree=2)
    >>> tacit.GAN(networks=networks, prior=tacit.Gaussian(2)).fit("ring8", steps=5).sample(3).shape
    (3, 2)
    """

    networks: Networks = field(default_factory=MLP)
    degree: int = 2
    fourier: int = 0
    scale: float = 1.0
    seed: int = 0

    def validate(self) -> None:
        if self.degree < 0 or self.fourier < 0 or self.degree + self.fourier == 0 or self.scale <= 0 or self.seed < 0:
            raise InputError(
                f"FixedFeatures got degree={self.degree}, fourier={self.fourier}, scale={self.scale}, seed={self.seed}; expected "
                "degree or fourier of 1 or more, scale > 0 and seed >= 0; mend the one that is not"
            )

    def check(self, spec: Any) -> None:
        self.networks.check(spec)
        count = n_features(prod(spec.shape), self.degree, self.fourier)
        if count > MOST:
            raise InputError(
                f"FixedFeatures got rows of {prod(spec.shape)} numbers, which have {count} monomials of degree {self.degree}; "
                f"expected at most {MOST} features; take degree=1 or fourier"
            )

    def generator(self, prior: Prior, spec: Any) -> nn.Module:
        return self.networks.generator(prior, spec)

    def decoder(self, dim: int, spec: Any) -> nn.Module:
        return self.networks.decoder(dim, spec)

    def encoder(self, spec: Any, out: int) -> nn.Module:
        return self.networks.encoder(spec, out)

    def critic(self, spec: Any, out: int = 1) -> nn.Module:
        self.check(spec)
        phi = Features(prod(spec.shape), self.degree, self.fourier, self.scale, self.seed)
        net = nn.Sequential(Centre(spec.bounded, flat=True), phi, nn.Linear(phi.size, out))
        return nn.Sequential(net, Scalar()) if out == 1 else net
