"""In which order rows come: permutations and weighted draws that any position can restart from."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def generator(*words: int) -> torch.Generator:
    """A CPU generator that depends on every word and on nothing else."""
    seed = np.random.SeedSequence([int(w) & (2**64 - 1) for w in words]).generate_state(1, np.uint64)[0]
    g = torch.Generator()
    g.manual_seed(int(seed) & (2**63 - 1))
    return g


def epoch_order(n: int, seed: int, epoch: int, weights: Tensor | None = None) -> Tensor:
    """The ``n`` row numbers of an epoch: a permutation, or a draw with replacement by ``weights``."""
    g = generator(seed, epoch)
    if weights is None:
        return torch.randperm(n, generator=g)
    edges = weights.to(torch.float64).cumsum(0)
    u = torch.rand(n, generator=g, dtype=torch.float64) * edges[-1]
    rows = torch.searchsorted(edges, u, right=True)
    return rows.clamp_(max=int(torch.nonzero(weights)[-1]))


class PoolOrder:
    """An epoch over blocks of a file: blocks permuted, grouped in pools, rows shuffled inside each pool.

    Only the rows of one pool need memory. With ``weights`` every row comes as often as a weighted draw with
    replacement says. ``ends[k]`` is the number of rows that pools 0 … k bring.
    """

    def __init__(
        self, blocks: np.ndarray, per_pool: int, seed: int, epoch: int, weights: Tensor | None = None
    ):
        self.blocks, self.seed, self.epoch = blocks, seed, epoch
        order = torch.randperm(len(blocks) - 1, generator=generator(seed, epoch, 1)).numpy()
        sizes = np.diff(blocks)[order]
        pool = (np.cumsum(sizes) - sizes) // max(1, per_pool)
        self.pools = np.split(order, np.flatnonzero(np.diff(pool)) + 1)
        self.times: np.ndarray | None = None
        if weights is None:
            came = [int(np.diff(blocks)[p].sum()) for p in self.pools]
        else:
            n = int(blocks[-1])
            self.times = np.bincount(epoch_order(n, seed, epoch, weights).numpy(), minlength=n)
            before = np.concatenate([[0], np.cumsum(self.times)])
            block_came = before[blocks[1:]] - before[blocks[:-1]]
            came = [int(block_came[p].sum()) for p in self.pools]
        self.ends = np.cumsum(came)

    def pool_at(self, position: int) -> tuple[int, int]:
        """``(pool, rows of it already served)`` at a position inside the epoch."""
        k = int(np.searchsorted(self.ends, position, side="right"))
        return k, position - (int(self.ends[k - 1]) if k else 0)

    def ranges(self, pool: int) -> list[tuple[int, int]]:
        """Row ranges of a pool, one for each block that it needs, in file order."""
        blocks = [(int(self.blocks[b]), int(self.blocks[b + 1])) for b in np.sort(self.pools[pool])]
        return [(a, b) for a, b in blocks if self.times is None or self.times[a:b].any()]

    def order(self, pool: int) -> Tensor:
        """Places (inside the pool's ranges, in file order) of the rows it serves, shuffled."""
        ranges = self.ranges(pool)
        size = sum(stop - start for start, stop in ranges)
        places = np.arange(size)
        if self.times is not None and ranges:
            places = np.repeat(places, np.concatenate([self.times[a:b] for a, b in ranges]))
        mix = torch.randperm(len(places), generator=generator(self.seed, self.epoch, 2, pool))
        return torch.from_numpy(places)[mix]
