"""Every row once an epoch, ranks together equal one rank, any position can be resumed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.data import Feed, Spec, concat, load, streams
from tacit.data.layout import Layout
from tacit.data.source import FileSource, Source
from tacit.errors import InputError


class Slow(Source):
    """Rows that count as a file: row k holds k; blocks of odd sizes."""

    in_memory = False

    def __init__(self, n: int, block: int):
        super().__init__(n, Layout((2,), (2,)), "vector", np.float32, labels=np.arange(n))
        self.block = block

    def blocks(self):
        return np.append(np.arange(0, self.n, self.block), self.n)

    def read(self, start, stop):
        return np.repeat(np.arange(start, stop, dtype=np.float32)[:, None], 2, 1)


def make(kind: str, n: int, b: int, seed: int, block: int = 5, per_pool: int = 7, **more) -> Feed:
    spec = Spec(shape=(2,))
    if kind == "file":
        source = Slow(n, block)
        return Feed(source, spec, b, seed, plan=(source.blocks(), per_pool), **more)
    x = np.repeat(np.arange(n, dtype=np.float32)[:, None], 2, 1)
    source = load((x, np.arange(n)))
    if kind == "sparse":
        import scipy.sparse as sp

        source = load((sp.csr_array(x), np.arange(n)))
    return Feed(source, spec, b, seed, **more)


kinds = st.sampled_from(["array", "file", "sparse"])
sizes = st.integers(1, 60)


@settings(max_examples=80, deadline=None)
@given(kinds, sizes, st.integers(1, 20), st.integers(0, 2**40), st.integers(1, 9), st.integers(1, 30))
def test_every_row_comes_once_an_epoch_and_rows_match_labels(kind, n, b, seed, block, per_pool):
    feed = make(kind, n, b, seed, block, per_pool)
    seen: list[int] = []
    while len(seen) < 3 * n:
        batch = feed.next()
        assert len(batch) == min(b, n) == feed.batch_size
        assert torch.equal(batch.x[:, 0].long(), batch.index) and torch.equal(batch.y, batch.index)
        seen += batch.index.tolist()
    for epoch in range(3):
        assert sorted(seen[epoch * n : (epoch + 1) * n]) == list(range(n))
    if n > 8:
        assert seen[:n] != seen[n : 2 * n], "epochs differ"


@settings(max_examples=60, deadline=None)
@given(kinds, sizes, st.integers(1, 6), st.sampled_from([2, 3]), st.integers(0, 99), st.booleans())
def test_ranks_together_equal_one_rank(kind, n, share, world, seed, weighted):
    b = share * world
    if n < b:
        n = b
    w = np.arange(n) % 3 + 0.5 if weighted else None
    whole = make(kind, n, b, seed, weights=w)
    ranks = [make(kind, n, b, seed, rank=r, world=world, weights=w) for r in range(world)]
    for _ in range(2 * n // b + 2):
        one = whole.next()
        parts = [r.next() for r in ranks]
        assert torch.equal(one.x, torch.cat([p.x for p in parts]))
        assert torch.equal(one.index, torch.cat([p.index for p in parts]))


@settings(max_examples=60, deadline=None)
@given(kinds, sizes, st.integers(1, 20), st.integers(0, 12), st.booleans())
def test_resume_from_any_position_gives_the_same_batches(kind, n, b, skip, weighted):
    w = np.arange(n) + 0.1 if weighted else None
    feed = make(kind, n, b, seed=5, weights=w)
    for _ in range(skip):
        feed.next()
    state = feed.state()
    other = make(kind, n, b, seed=99)
    other.load_state(state)
    for _ in range(8):
        first, second = feed.next(), other.next()
        assert torch.equal(first.x, second.x) and torch.equal(first.index, second.index)


@pytest.mark.parametrize("kind", ["array", "file"])
def test_weights_are_obeyed(kind):
    n = 40
    w = np.zeros(n)
    w[3], w[7], w[39] = 1.0, 2.0, 1.0
    feed = make(kind, n, 20, seed=0)
    feed.next()
    feed.set_weights(w)
    drawn = torch.cat([feed.next().index for _ in range(400)])
    share = torch.bincount(drawn, minlength=n).double() / len(drawn)
    assert set(drawn.tolist()) == {3, 7, 39}
    assert share[[3, 7, 39]].tolist() == pytest.approx([0.25, 0.5, 0.25], abs=0.025)
    feed.set_weights(None)
    left = torch.cat([feed.next().index for _ in range(4)])
    assert len(set(left.tolist())) > 30


@pytest.mark.parametrize("bad", [np.ones(3), -np.ones(10), np.zeros(10), np.full(10, np.nan)])
def test_bad_weights_are_refused(bad):
    with pytest.raises(InputError, match="one finite number"):
        make("array", 10, 2, 0, weights=bad)


def test_seeds_differ_and_repeat():
    a, b, c = (make("array", 50, 50, s).next().index for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_a_batch_that_ranks_cannot_share_is_refused():
    with pytest.raises(InputError, match="multiple of 2"):
        make("array", 50, 5, 0, world=2)
    with pytest.raises(InputError, match="at least 1"):
        make("array", 50, 0, 0)


def test_a_saved_position_of_other_data_is_refused():
    with pytest.raises(InputError, match="10 rows but"):
        make("array", 11, 2, 0).load_state(make("array", 10, 2, 0).state())


@pytest.mark.parametrize("kind", ["array", "file", "sparse"])
def test_batches_go_through_all_rows_in_order_and_leave_the_position(kind):
    feed = make(kind, 23, 4, 0)
    feed.next()
    before = feed.state()
    rows = [b.x[:, 0] for b in feed.batches(10)]
    assert [len(r) for r in rows] == [10, 10, 3]
    assert torch.equal(torch.cat(rows), torch.arange(23.0))
    assert feed.state() == before
    if kind == "file":
        with pytest.raises(InputError, match="too large to be held whole"):
            feed.array()
    else:
        assert torch.equal(feed.array()[:, 1], torch.arange(23.0))


@pytest.mark.parametrize("kind", ["array", "file", "sparse"])
def test_the_first_rows_are_those_of_training_on_every_rank_and_leave_the_position(kind):
    one = make(kind, 23, 8, seed=3)
    order = torch.cat([one.next().x for _ in range(4)])
    for rank in range(2):
        feed = make(kind, 23, 8, seed=3, rank=rank, world=2)
        feed.next()
        state = feed.state()
        assert torch.equal(feed.first(30), order[:30]), "more than an epoch goes on in the next"
        assert feed.state() == state


def test_a_file_of_foreign_byte_order_is_read(tmp_path):
    x = np.arange(60, dtype=">i2").reshape(20, 3)
    (tmp_path / "x.bin").write_bytes(b"head" + x.tobytes())
    source = FileSource(tmp_path / "x.bin", 4, ">i2", 20, Layout((3,), (3,)), "vector")
    assert np.array_equal(source.take([19, 0, 5]), x[[19, 0, 5]]) and source.dtype == np.int16
    assert np.array_equal(source.subset([4, 2]).read(0, 2), x[[4, 2]])
    assert source.subset(np.arange(20) > 17).ids.tolist() == [18, 19]


def test_streams_have_their_own_size_order_and_position():
    a, b = load(np.arange(20.0).reshape(10, 2)), load(np.arange(60.0).reshape(30, 2))
    feeds = streams({"a": a, "b": b}, batch_size={"a": 4, "b": 6}, seed=1)
    batch = feeds.next()
    assert (len(batch.a), len(batch.b), len(batch), list(batch)) == (4, 6, 4, ["a", "b"])
    for _ in range(3):
        feeds.next()
    state = feeds.state()
    again = streams({"a": a, "b": b}, batch_size={"a": 4, "b": 6}, seed=7)
    again.load_state(state)
    for _ in range(5):
        x, y = feeds.next(), again.next()
        assert torch.equal(x.a.x, y.a.x) and torch.equal(x["b"].x, y["b"].x)
    with pytest.raises(InputError, match="streams a"):
        streams(a).load_state(state)
    assert streams(a, batch_size=3).next().x.shape == (3, 2)


def test_equal_domains_are_not_drawn_in_step():
    a = load(np.arange(80.0).reshape(40, 2))
    batch = streams({"a": a, "b": a}, batch_size=40).next()
    assert not torch.equal(batch.a.index, batch.b.index)


@pytest.mark.parametrize("file", [False, True])
def test_pairs_stay_together(file):
    n = 37
    a = Slow(n, 5) if file else load(np.arange(2.0 * n, dtype=np.float32).reshape(n, 2))
    b = load(np.arange(n, dtype=np.float32)[:, None] * 3)
    specs = {"a": Spec(shape=(2,)), "b": Spec(shape=(1,))}
    feeds = streams({"a": a, "b": b}, specs, batch_size=8, paired=True)
    for _ in range(12):
        batch = feeds.next()
        assert torch.equal(batch.a.index, batch.b.index)
        assert torch.equal(batch.b.x[:, 0], 3.0 * batch.b.index)
    with pytest.raises(InputError, match="as many rows"):
        streams({"a": a, "b": load(np.zeros((3, 1)))}, specs, paired=True)


def test_padding_of_sequences_is_zero_after_scaling():
    x = np.arange(1.0, 41.0).reshape(4, 5, 2)
    source = load(x, kind="sequence")
    source.lengths = np.array([1, 5, 3, 2])
    batch = Feed(source, Spec.learn(source), 4, 0).next()
    assert batch.lengths.tolist() == source.lengths[batch.index].tolist()
    for row, length in zip(batch.x, batch.lengths, strict=True):
        assert bool((row[length:] == 0).all()) and bool((row[:length] != 0).any())


def test_concat_joins_rows_and_matches_labels_by_name():
    a = load((np.zeros((3, 2)), ["cat", "dog", "cat"]))
    b = load((np.ones((2, 2)), ["emu", "dog"]))
    both = concat(a, b)
    assert both.class_names == ["cat", "dog", "emu"] and both.labels.tolist() == [0, 1, 0, 2, 1]
    assert both.take([4, 0]).tolist() == [[1, 1], [0, 0]] and both.read(2, 4)[:, 0].tolist() == [0, 1]
    with pytest.raises(InputError, match="expected the same to join"):
        concat(a, load(np.zeros((3, 3))))
