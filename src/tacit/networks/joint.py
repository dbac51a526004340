"""Discriminators of pairs of a row and a latent."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from tacit.core.parts import Networks
from tacit.networks.layers import Scalar


def pair(x: Tensor, z: Tensor) -> Tensor:
    """Rows and latents as one tensor, ``(B, prod(shape) + d)``, so that objectives and penalties read pairs as they read rows."""
    return torch.cat([x.flatten(1), z.to(x.dtype)], 1)


class JointCritic(nn.Module):
    """D(x, z) ``(B,)`` of pairs ``(B, prod(shape) + d)``: an encoder reads x, dense layers read its features beside z.

    Args:
        networks: whose encoder reads x. spec: of x. dim: width of z. features: of x. width: of the two dense layers.
    """

    def __init__(self, networks: Networks, spec: Any, dim: int, features: int = 128, width: int = 128):
        super().__init__()
        self.shape, self.dim, self.split = tuple(spec.shape), dim, prod(spec.shape)
        self.trunk = networks.encoder(spec, features)
        self.head = nn.Sequential(
            nn.LeakyReLU(0.2), nn.Linear(features + dim, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2),
            nn.Linear(width, 1), Scalar(),
        )  # fmt: skip

    def forward(self, pairs: Tensor) -> Tensor:
        x, z = pairs[:, : self.split].reshape(-1, *self.shape), pairs[:, self.split :]
        return self.head(pair(self.trunk(x), z))
