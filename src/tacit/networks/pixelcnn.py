"""A distribution of pictures as a product over pixels, by gated convolutions that see only what came before."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

WHERE = ("invariant", "dependent")


def visible(outs: int, ins: int, colours: int, strict: bool) -> Tensor:
    """Which features may see which at one pixel, ``(outs, ins)`` of 0 and 1: features of a colour see those of colours before it.

    Features are split evenly over the colours, in order; with ``strict`` a colour does not see itself.

    >>> visible(3, 3, 3, strict=True).int().tolist()
    [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    """
    out, own = (torch.arange(n) * colours // n for n in (outs, ins))
    return (own < out[:, None] if strict else own <= out[:, None]).float()


class Masked(nn.Conv2d):
    """A convolution of a row with pixels up to and including its own, where the own pixel is seen as :func:`visible` says.

    Args:
        ins, outs: features. width: pixels seen. colours: channels of the picture. strict: see there. gates: outputs come in this many
            equal parts, each split over the colours.
    """

    mask: Tensor

    def __init__(self, ins: int, outs: int, width: int, colours: int, strict: bool = False, gates: int = 1):
        super().__init__(ins, outs, (1, width))
        self.left = width - 1
        mask = torch.ones(outs, ins, 1, width)
        mask[:, :, 0, -1] = visible(outs // gates, ins, colours, strict).repeat(gates, 1)
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(pad(x, (self.left, 0)), self.weight * self.mask, self.bias)


class Layer(nn.Module):
    """v ← φ(V ∗ v + A h), r ← r + R φ(H ∗ r + U ↓v + B h) with φ(a, b) = tanh(a)·σ(b), ↓ one row down.

    The vertical stack v sees all rows above and its own, and is moved down a row before the horizontal stack r reads it, which
    sees its own row to the left: together all that came before, without a blind spot.
    """

    def __init__(self, ins: int, channels: int, kernel: int, colours: int, first: bool, condition: int):
        super().__init__()
        self.side, self.first = kernel // 2, first
        self.vertical = nn.Conv2d(ins, 2 * channels, (kernel // 2 + 1, kernel))
        self.down = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.horizontal = Masked(ins, 2 * channels, kernel // 2 + 1, colours, strict=first, gates=2)
        self.mix = Masked(channels, channels, 1, colours)
        self.told = nn.Conv2d(condition, 4 * channels, 1, bias=False) if condition else None

    def forward(self, v: Tensor, r: Tensor, h: Tensor | None) -> tuple[Tensor, Tensor]:
        up = self.vertical(pad(v, (self.side, self.side, self.side, 0)))
        across = self.horizontal(r) + self.down(pad(up, (0, 0, 1, -1)))
        if self.told is not None and h is not None:
            to_up, to_across = self.told(h).chunk(2, 1)
            up, across = up + to_up, across + to_across
        new = self.mix(gated(across))
        return gated(up), new if self.first else r + new


def gated(x: Tensor) -> Tensor:
    """tanh of the first half of the channels times σ of the second."""
    a, b = x.chunk(2, 1)
    return torch.tanh(a) * torch.sigmoid(b)


class PixelStack(nn.Module):
    """log p(x|h) = Σ_i log p(x_i | x_1 … x_{i−1}, h), nats, ``(B,)``; pixels in rows from the top left, the colours of each in turn.

    x ``(B, C, H, W)`` in [0, 1] is read as one of K levels, ⌊K·x⌋; h ``(B, condition)``. Source: van den Oord et al. 2016,
    arXiv:1606.05328 (gated, without a blind spot); Makhzani & Frey 2017, arXiv:1706.00531 (conditioning).

    Args:
        shape: (C, H, W) of the pictures. levels: K.
        channels: features of each stack. layers: how many. kernel, first_kernel: widths, odd.
        condition: width of h; 0 for none.
        where: h adds the same to every pixel (``invariant``) or something of its own to each (``dependent``).

    >>> net = PixelStack((1, 2, 2), channels=4, layers=2)
    >>> net(torch.zeros(3, 1, 2, 2)).shape, net.generate(torch.rand(3, 1, 2, 2)).shape
    (torch.Size([3]), torch.Size([3, 1, 2, 2]))
    """

    def __init__(
        self, shape: tuple[int, ...], levels: int = 2, channels: int = 32, layers: int = 5, kernel: int = 3, first_kernel: int = 7,
        condition: int = 0, where: str = "invariant",
    ):  # fmt: skip
        super().__init__()
        colours, height, width = shape
        channels = -(-channels // colours) * colours
        self.shape, self.levels = tuple(shape), levels
        self.reach = first_kernel // 2 + (layers - 1) * (kernel // 2) + 1
        self.map = None
        if condition and where == "dependent":
            self.map = nn.Sequential(nn.Linear(condition, channels * height * width), nn.Unflatten(1, (channels, height, width)))
            condition = channels
        first = Layer(colours, channels, first_kernel, colours, True, condition)
        self.layers = nn.ModuleList([first, *(Layer(channels, channels, kernel, colours, False, condition) for _ in range(layers - 1))])
        self.head = nn.Sequential(
            nn.ReLU(), Masked(channels, channels, 1, colours), nn.ReLU(), Masked(channels, colours * levels, 1, colours)
        )

    def level(self, x: Tensor) -> Tensor:
        """Which level each value is of, int64."""
        return (x * self.levels).long().clamp(0, self.levels - 1)

    def told(self, h: Tensor | None) -> Tensor | None:
        """h as pictures: ``(B, d, 1, 1)`` or ``(B, d, H, W)``."""
        return None if h is None else h[:, :, None, None] if self.map is None else self.map(h)

    def log_probs(self, level: Tensor, told: Tensor | None) -> Tensor:
        """log p of every level at every place, ``(B, C, K, H, W)``, of levels ``(B, C, H, W)``."""
        v = r = (2.0 / (self.levels - 1)) * level.to(next(self.parameters()).dtype) - 1
        for layer in self.layers:
            v, r = layer(v, r, told)
        out = self.head(r).unflatten(1, (self.shape[0], self.levels))
        return (out if out.dtype == torch.float64 else out.float()).log_softmax(2)

    def forward(self, x: Tensor, h: Tensor | None = None) -> Tensor:
        level = self.level(x)
        return self.log_probs(level, self.told(h)).gather(2, level.unsqueeze(2)).flatten(1).sum(1)

    def generate(self, u: Tensor, h: Tensor | None = None) -> Tensor:
        """Pictures by the inverse of each pixel's distribution at u ~ U[0, 1], ``(B, C, H, W)``, one pixel after the other."""
        level, told = torch.zeros_like(u, dtype=torch.long), self.told(h)
        for i in range(self.shape[1]):
            # Rows out of reach change nothing at this one.
            rows = slice(max(0, i - self.reach), i + 1)
            near = told if told is None or self.map is None else told[:, :, rows]
            for j in range(self.shape[2]):
                for c in range(self.shape[0]):
                    below = self.log_probs(level[:, :, rows], near)[:, c, :, -1, j].exp().cumsum(1)[:, :-1]
                    level[:, c, i, j] = (u[:, c, i, j, None] > below).sum(1)
        return level.to(u.dtype) / (self.levels - 1)
