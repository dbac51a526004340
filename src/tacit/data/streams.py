"""Several feeds at once: labelled and unlabelled rows, two domains, pairs."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from tacit.data.feeds import Batch, Feed
from tacit.data.pools import pool_plan
from tacit.data.source import Source
from tacit.data.spec import Spec
from tacit.errors import InputError


class Feeds:
    """Several named streams, each with its own size, order and position.

    A single stream is called ``x``. :meth:`next` gives its :class:`Batch`; with several streams it gives a
    :class:`Batches` with one batch under each name (``batch.a.x``, ``batch.b.x``).
    """

    def __init__(self, feeds: Mapping[str, Feed]):
        if not feeds:
            raise InputError("no stream was given; expected at least one source")
        self.feeds = dict(feeds)
        self.main = next(iter(self.feeds.values()))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.feeds)

    def __getitem__(self, name: str) -> Feed:
        return self.feeds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.feeds)

    def __len__(self) -> int:
        return len(self.feeds)

    def next(self) -> Any:
        """The next batch of every stream."""
        if len(self.feeds) == 1:
            return self.main.next()
        return Batches({name: feed.next() for name, feed in self.feeds.items()})

    def state(self) -> dict[str, dict[str, Any]]:
        """Position of every stream."""
        return {name: feed.state() for name, feed in self.feeds.items()}

    def load_state(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Go to where :meth:`state` was taken.

        Raises:
            InputError: the saved streams have other names.
        """
        if set(state) != set(self.feeds):
            raise InputError(
                f"the saved position has the streams {', '.join(state)}; this run has {', '.join(self.feeds)}"
            )
        for name, feed in self.feeds.items():
            feed.load_state(state[name])


class Batches:
    """Batches of several streams by name; its length is that of the first."""

    def __init__(self, batches: Mapping[str, Batch]):
        self.__dict__.update(batches)

    def __getitem__(self, name: str) -> Batch:
        return self.__dict__[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __len__(self) -> int:
        return len(next(iter(self.__dict__.values())))


def streams(
    sources: Mapping[str, Source] | Source,
    specs: Mapping[str, Spec] | Spec | None = None,
    batch_size: int | Mapping[str, int] = 64,
    seed: int = 0,
    device: str | torch.device = "cpu",
    rank: int = 0,
    world: int = 1,
    paired: bool = False,
) -> Feeds:
    """Feeds over several sources: labelled and unlabelled rows, domains a and b, or pairs.

    ``specs`` and ``batch_size`` are shared or by name; a missing spec is learnt. With ``paired``, row k of
    every source belongs together and batches carry the same rows.

    >>> from tacit.data import load, streams
    >>> batch = streams({"a": load("moons"), "b": load("circles")}, batch_size=8).next()
    >>> batch.a.x.shape == batch.b.x.shape
    True

    Raises:
        InputError: paired sources of different length.
    """
    named = {"x": sources} if isinstance(sources, Source) else dict(sources)
    sizes = {k: batch_size if isinstance(batch_size, int) else batch_size[k] for k in named}
    if specs is None or isinstance(specs, Spec):
        specs = {k: specs or Spec.learn(s) for k, s in named.items()}
    if paired:
        lengths = {k: s.n for k, s in named.items()}
        if len(set(lengths.values())) > 1 or len(set(sizes.values())) > 1:
            told = ", ".join(f"{k}: {n} rows" for k, n in lengths.items())
            raise InputError(f"pairs need as many rows and the same batch size on both sides, but got {told}")
    plan = None
    files = [s for s in named.values() if not s.in_memory]
    if paired and files:
        plan = pool_plan(files[0], *named.values())
    feeds = {}
    for name, source in named.items():
        own = seed if paired or len(named) == 1 else zlib.crc32(name.encode()) ^ (seed * 0x9E3779B1)
        feeds[name] = Feed(source, specs[name], sizes[name], own, device, rank, world, plan=plan)
    return Feeds(feeds)
