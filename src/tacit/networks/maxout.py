"""Fully connected networks whose critics are maxout."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

from torch import Tensor, nn

from tacit.errors import InputError
from tacit.networks.layers import Centre, norm_layer
from tacit.networks.mlp import MLP


class Largest(nn.Module):
    """Rows ``(B, width·pieces)`` to ``(B, width)``: the largest of each unit's pieces."""

    def __init__(self, pieces: int):
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (-1, self.pieces)).amax(2)


@dataclass(frozen=True)
class Maxout(MLP):
    """An :class:`MLP` whose critics and encoders have maxout units: h_i(x) = max_j (x·W_ij + b_ij), j = 1 … ``pieces``.

    Generators and decoders are the MLP's. Rows ``(B, *shape)``; ``critic_act`` is not used.

    Source: Goodfellow, Warde-Farley, Mirza, Courville & Bengio 2013, arXiv:1302.4389; in the discriminators of Lin et al. 2018,
    arXiv:1712.04086.

    Args:
        widths, norm, critic_norm, act, init_std: of the MLP.
        critic_widths: hidden layers of critics and encoders, from the data inwards; () for ``widths``.
        pieces: linear pieces of each unit.

    >>> import tacit
    >>> net = tacit.networks.Maxout(widths=(8,), pieces=3).critic(tacit.data.Spec(shape=(2,), kind="vector"))
    >>> sum(p.numel() for p in net.parameters())
    81
    """

    critic_widths: tuple[int, ...] = ()
    pieces: int = 5

    def validate(self) -> None:
        super().validate()
        if self.pieces < 1 or any(w < 1 for w in self.critic_widths):
            raise InputError(
                f"Maxout got pieces={self.pieces} and critic_widths={self.critic_widths}; expected positive numbers; give e.g. pieces=5"
            )

    def encoder(self, spec: Any, out: int) -> nn.Module:
        sizes = [prod(spec.shape), *(self.critic_widths or self.widths)]
        layers: list[nn.Module] = [Centre(spec.bounded, flat=True)]
        for a, b in pairwise(sizes):
            layers += [nn.Linear(a, b * self.pieces), norm_layer(self.critic_norm, b * self.pieces), Largest(self.pieces)]
        return self._finish(nn.Sequential(*layers, nn.Linear(sizes[-1], out)))
