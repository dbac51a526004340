"""The linear game between bounded critics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tacit.core.parts import Objective


@dataclass(frozen=True)
class TotalVariation(Objective):
    """min_G max_D ½E D(x) − ½E D(G(z)) over |D| ≤ 1, D = tanh(output); the best D is sign(p − q), the value d_TV(p, q).

    It is the f-divergence of f(u) = ½|u − 1| (Nowozin et al. 2016, arXiv:1606.00709, table 6). D flattens where it is sure,
    so that G's gradient vanishes there. With ``GAN(pack=m)`` the value is d_TV of m rows together, p^m against q^m.
    """

    output: ClassVar[str] = "value"

    def critic(self, real: Tensor, fake: Tensor, memory: dict[str, Tensor] | None = None) -> Tensor:
        return 0.5 * (fake.tanh().mean() - real.tanh().mean())

    def generator(self, fake: Tensor, real: Tensor | None = None, memory: dict[str, Tensor] | None = None) -> Tensor:
        return -0.5 * fake.tanh().mean()
