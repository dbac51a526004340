"""Distances that say alike or not."""

from __future__ import annotations

from torch import Tensor

from tacit.core.parts import float32


@float32
def contrastive(anchor: Tensor, near: Tensor, far: Tensor, inner: float, outer: float) -> tuple[Tensor, Tensor]:
    """E max(0, ‖a − b‖ − m₊)² over pairs that are alike and E max(0, m₋ − ‖a − c‖)² over pairs that are not.

    Source: Hadsell, Chopra & LeCun 2006 (CVPR), with a margin inside as in Shaham et al. 2018, arXiv:1801.01587.

    Args:
        anchor, near, far: outputs of the network, ``(B, d)`` each.
        inner, outer: margins m₊ and m₋.
    """
    a, b, c = (t if t.dtype.itemsize == 8 else t.float() for t in (anchor, near, far))
    d_near = ((a - b).square().sum(1) + 1e-12).sqrt()
    d_far = ((a - c).square().sum(1) + 1e-12).sqrt()
    return (d_near - inner).clamp(min=0).square().mean(), (outer - d_far).clamp(min=0).square().mean()
