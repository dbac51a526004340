"""ClusterGAN's latent: which cluster, and where in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tacit.core.parts import Prior
from tacit.core.rng import Rng
from tacit.errors import InputError
from tacit.priors.gaussian import _positive, arc


class MixedLatent(NamedTuple):
    """``continuous`` ``(B, d)`` and ``categorical`` ``(B,)``, int64."""

    continuous: Tensor
    categorical: Tensor


class MixedCode(NamedTuple):
    """``continuous`` ``(B, d)`` and ``logits`` ``(B, K)``."""

    continuous: Tensor
    logits: Tensor


@dataclass(frozen=True)
class OneHotGaussian(Prior):
    """z = (z_n, z_c), z_n ~ N(0, σ²I_d), z_c = e_k with k ~ U{1 … K} (Mukherjee et al. 2019, arXiv:1809.03627).

    ``join`` gives ``(B, d + K)``: the continuous part, then the one-hot.
    """

    n_clusters: int = 10
    latent_dim: int = 30
    sigma: float = 0.1

    def validate(self) -> None:
        _positive(self, latent_dim=self.latent_dim, sigma=self.sigma)
        if self.n_clusters < 2:
            raise InputError(f"OneHotGaussian got n_clusters={self.n_clusters}; expected 2 or more; ask for at least 2")

    @property
    def dim(self) -> int:
        return self.latent_dim + self.n_clusters

    def sample(self, n: int, rng: Rng) -> MixedLatent:
        return MixedLatent(rng.normal(n, self.latent_dim) * self.sigma, rng.integers(self.n_clusters, n))

    def join(self, z: MixedLatent) -> Tensor:
        return self.place(z.continuous, z.categorical)

    def split(self, flat: Tensor) -> MixedCode:
        return MixedCode(flat[:, : self.latent_dim], flat[:, self.latent_dim :])

    def embed(self, code: MixedCode) -> Tensor:
        return torch.cat([code.continuous, code.logits.softmax(1)], 1)

    def log_prob(self, z: MixedLatent) -> Tensor:
        d = self.latent_dim
        gaussian = -0.5 * (z.continuous / self.sigma).square().sum(1)
        return gaussian - d * (0.5 * math.log(2 * math.pi) + math.log(self.sigma)) - math.log(self.n_clusters)

    def latent(self, flat: Tensor) -> MixedLatent:
        return MixedLatent(flat[:, : self.latent_dim], flat[:, self.latent_dim :].argmax(1))

    @property
    def n_categories(self) -> int:
        return self.n_clusters

    @property
    def bound(self) -> float:
        return 6 * self.sigma

    @property
    def free(self) -> int:
        return self.latent_dim

    def place(self, continuous: Tensor, category: Tensor) -> Tensor:
        # Not one_hot, which reads its values back from the device and cannot be compiled.
        hot = (category[:, None] == torch.arange(self.n_clusters, device=category.device)).to(continuous.dtype)
        return torch.cat([continuous, hot], 1)

    def recovery(self, code: MixedCode, z: MixedLatent) -> dict[str, Tensor]:
        return {
            "continuous": (code.continuous - z.continuous).square().mean(),
            "categorical": cross_entropy(code.logits, z.categorical),
        }

    def path(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """An arc for z_n; z_c is always one of the e_k: a's, and from half way on b's."""
        (n_a, k_a), (n_b, k_b) = self.latent(a), self.latent(b)
        steps = len(t)
        category = torch.where(t.to(a) < 0.5, k_a[:, None], k_b[:, None])
        return self.place(arc(n_a, n_b, t).flatten(0, 1), category.flatten()).unflatten(0, (-1, steps))
