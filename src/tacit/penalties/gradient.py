"""Penalties on the discriminator's input gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from tacit.core.parts import Penalty, float32
from tacit.errors import InputError


def gradient_norms(net: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """‖∇_x net(x)‖₂ for each row, ``(B,)``, differentiable in the network's weights, and in x where x has a graph.

    The norm is taken in float32 or better.
    """
    return slopes(net, x)[1]


def slopes(net: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """net(x) and ‖∇_x net(x)‖₂ for each row, both ``(B,)``, in float32 or better; see :func:`gradient_norms`."""
    with torch.enable_grad():
        x = x if x.dtype == torch.float64 else x.float()
        # A view of a weight asks for gradients even where no graph was kept.
        x = x.detach().requires_grad_(True) if x.grad_fn is None else x
        out = net(x)
        out = (out if out.dtype == torch.float64 else out.float()).flatten()
        (g,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        return out, _norms(g)


@float32
def _norms(g: Tensor) -> Tensor:
    return (g.flatten(1).square().sum(1) + 1e-24).sqrt()


@dataclass(frozen=True)
class GradientPenalty(Penalty):
    """λ·E(‖∇D(x̂)‖ − 1)², x̂ = ε·x + (1 − ε)·G(z), ε ~ U[0, 1] per row (Gulrajani et al. 2017, arXiv:1704.00028).

    Args:
        weight: λ.
        one_sided: only norms above 1 are charged: λ·E max(0, ‖∇D‖ − 1)².
        on: ``between`` x and G(z), or on the rows themselves: ``real``, ``fake`` or, summed, ``both``.
    """

    weight: float = 10.0
    one_sided: bool = False
    on: Literal["between", "real", "fake", "both"] = "between"
    lipschitz: ClassVar[bool] = True
    second_order: ClassVar[bool] = True

    def validate(self) -> None:
        if self.weight < 0:
            raise InputError(f"GradientPenalty got weight={self.weight}; expected 0 or more; the paper uses 10")
        if self.on not in ("between", "real", "fake", "both"):
            raise InputError(f"GradientPenalty got on={self.on!r}; expected between, real, fake or both; choose one")

    def __call__(
        self, net: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, eps: Tensor | None = None, step: int = 0, progress: float = 0.0
    ) -> Tensor:
        total = real.new_zeros(())
        for x in self.rows(real, fake, eps):
            excess = gradient_norms(net, x) - 1
            total = total + (excess.clamp(min=0) if self.one_sided else excess).square().mean()
        return self.weight * total

    def rows(self, real: Tensor, fake: Tensor, eps: Tensor | None) -> list[Tensor]:
        """Where the slope is taken."""
        if self.on != "between":
            return [x for x, name in ((real, "real"), (fake, "fake")) if self.on in (name, "both")]
        if eps is None:
            raise TypeError("GradientPenalty interpolates and needs eps, uniform draws of shape (B,)")
        e = eps.view(-1, *[1] * (real.dim() - 1))
        return [e * real + (1 - e) * fake]


@dataclass(frozen=True)
class GradientNorm(Penalty):
    """γ/2·E‖∇D‖² on real data (R1), on fakes (R2) or both (Mescheder et al. 2018, arXiv:1801.04406).

    Args:
        weight: γ.
        on: ``real``, ``fake`` or ``both``.
        every: computed on every k-th step and weighted by k (lazy regularisation; Karras 2020, arXiv:1912.04958).
    """

    weight: float = 1.0
    on: Literal["real", "fake", "both"] = "real"
    every: int = 1
    second_order: ClassVar[bool] = True

    def validate(self) -> None:
        if self.on not in ("real", "fake", "both"):
            raise InputError(f"GradientNorm got on={self.on!r}; expected real, fake or both; choose one")
        if self.every < 1 or self.weight < 0:
            raise InputError(
                f"GradientNorm got weight={self.weight}, every={self.every}; expected weight >= 0 and every >= 1; mend them"
            )

    def __call__(
        self, net: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, eps: Tensor | None = None, step: int = 0, progress: float = 0.0
    ) -> Tensor:
        if step % self.every:
            return real.new_zeros(())
        total = real.new_zeros(())
        if self.on in ("real", "both"):
            total = total + gradient_norms(net, real).square().mean()
        if self.on in ("fake", "both"):
            total = total + gradient_norms(net, fake).square().mean()
        return 0.5 * self.weight * self.every * total
