"""Which of K categories, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tacit.core.parts import Prior
from tacit.core.rng import Rng
from tacit.errors import InputError


@dataclass(frozen=True)
class Categorical(Prior):
    """z = e_k, k ~ U{1 … K}, ``(B, K)``: one-hot rows; ``embed`` takes an encoder's logits to their softmax.

    Args:
        n_clusters: K.
    """

    n_clusters: int = 10

    def validate(self) -> None:
        if self.n_clusters < 2:
            raise InputError(f"Categorical got n_clusters={self.n_clusters}; expected 2 or more; ask for at least 2")

    @property
    def dim(self) -> int:
        return self.n_clusters

    def sample(self, n: int, rng: Rng) -> Tensor:
        k = rng.integers(self.n_clusters, n)
        # Not one_hot, which reads its values back from the device and cannot be compiled.
        return (k[:, None] == torch.arange(self.n_clusters, device=k.device)).to(rng.dtype)

    def embed(self, code: Tensor) -> Tensor:
        return code.softmax(1)

    def log_prob(self, z: Tensor) -> Tensor:
        return z.new_full((len(z),), -math.log(self.n_clusters))
