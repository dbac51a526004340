"""Random numbers of a round: drawn for the whole batch, sharded over ranks, on the device."""

from __future__ import annotations

import torch
from torch import Tensor


class Rng:
    """A generator whose draws on R ranks, put together, equal the draws of one rank.

    ``n`` is always the number of local rows; each call advances the stream by the global number of rows.

    >>> a = Rng(0).normal(4, 2)
    >>> b = torch.cat([Rng(0, rank=r, world=2).normal(2, 2) for r in (0, 1)])
    >>> bool((a == b).all())
    True
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu", rank: int = 0, world: int = 1):
        self.device, self.rank, self.world = torch.device(device), rank, world
        self.dtype = torch.float32
        self.generator = torch.Generator(self.device)
        self.generator.manual_seed(int(seed))

    def _local(self, x: Tensor, n: int) -> Tensor:
        x = x if self.world == 1 else x[self.rank * n : (self.rank + 1) * n]
        return x.to(self.dtype) if x.is_floating_point() else x

    def normal(self, n: int, *shape: int) -> Tensor:
        """Standard normal draws, ``(n, *shape)``."""
        x = torch.randn((n * self.world, *shape), generator=self.generator, device=self.device)
        return self._local(x, n)

    def uniform(self, n: int, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform draws in ``[low, high)``, ``(n, *shape)``."""
        x = torch.rand((n * self.world, *shape), generator=self.generator, device=self.device)
        x = self._local(x, n)
        return x if (low, high) == (0.0, 1.0) else x * (high - low) + low

    def integers(self, high: int, n: int, *shape: int) -> Tensor:
        """Uniform integers in ``[0, high)``, ``(n, *shape)``, int64."""
        x = torch.randint(high, (n * self.world, *shape), generator=self.generator, device=self.device)
        return self._local(x, n)

    def permutation(self, n: int) -> Tensor:
        """A permutation of ``n`` numbers, the same on every rank."""
        return torch.randperm(n, generator=self.generator, device=self.device)

    def state(self) -> Tensor:
        return self.generator.get_state()

    def load_state(self, state: Tensor) -> None:
        self.generator.set_state(state)
