"""Generators that draw line by line with a memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from tacit.core.parts import Networks, Prior
from tacit.errors import InputError
from tacit.networks.layers import Joined, Output
from tacit.networks.mlp import MLP


class Lines(nn.Module):
    """An LSTM that is told z at its first step and nothing after, one line of ``of`` numbers a step: ``(B, dim)`` → ``(B, n, of)``."""

    def __init__(self, dim: int, width: int, n: int, of: int):
        super().__init__()
        # A cell, not nn.LSTM, whose kernel on processors cannot be differentiated twice.
        self.cell, self.line, self.n, self.width = nn.LSTMCell(dim, width), nn.Linear(width, of), n, width

    def forward(self, z: Tensor) -> Tensor:
        h = c = z.new_zeros(len(z), self.width)
        silence, lines = torch.zeros_like(z), []
        for at in range(self.n):
            h, c = self.cell(silence if at else z, (h, c))
            lines.append(h)
        return self.line(torch.stack(lines, 1))


@dataclass(frozen=True)
class Recurrent(Networks):
    """A recurrent generator: (h_t, c_t) = LSTM(z·[t = 1], h_{t−1}, c_{t−1}), x_t = W·h_t + b, t = 1 … T.

    x_t is a column of a picture ``(C, T, W)`` turned on its side, that is one of its T rows of all channels, or the t-th entry of a
    sequence ``(T, …)``; a vector is drawn number by number. Critics and encoders are those of ``critic_networks``.

    Source: Metz, Poole, Pfau & Sohl-Dickstein 2017, arXiv:1611.02163, section 3.3.

    Args:
        width: units of the LSTM.
        critic_networks: architecture of critics and encoders.

    >>> import tacit
    >>> nets = tacit.networks.Recurrent(width=16, critic_networks=tacit.networks.MLP(widths=(32,)))
    >>> tacit.GAN(networks=nets, prior=tacit.Gaussian(8)).fit("digits", steps=3).sample(2).shape
    (2, 8, 8)
    """

    width: int = 256
    critic_networks: Networks = field(default_factory=MLP)

    def validate(self) -> None:
        if self.width < 1:
            raise InputError(f"Recurrent got width={self.width}; expected 1 or more; try 256")

    def decoder(self, dim: int, spec: Any) -> nn.Module:
        shape = tuple(spec.shape)
        channels, steps, *rest = shape if spec.kind == "image" else (1, *shape)
        net = nn.Sequential(Lines(dim, self.width, steps, channels * prod(rest)))
        if spec.kind == "image":
            net.extend([nn.Unflatten(2, (channels, *rest)), Swap()])
        return nn.Sequential(*net, Output(shape, spec.bounded))

    def generator(self, prior: Prior, spec: Any) -> nn.Module:
        return Joined(prior, self.decoder(prior.dim, spec))

    def encoder(self, spec: Any, out: int) -> nn.Module:
        return self.critic_networks.encoder(spec, out)

    def critic(self, spec: Any, out: int = 1) -> nn.Module:
        return self.critic_networks.critic(spec, out)


class Swap(nn.Module):
    """``(B, T, C, …)`` → ``(B, C, T, …)``."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)
