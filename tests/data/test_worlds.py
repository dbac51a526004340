"""Worlds whose truth is known, and labelled fractions of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from tacit.data import labelled, load, worlds


@pytest.mark.parametrize(
    ("name", "k", "sd"), [("ring8", 8, 0.02), ("ring8:1", 8, 0.01), ("grid25", 25, 0.05)]
)
def test_gaussians_match_their_truth(name, k, sd):
    means, deviation = worlds.modes(name)
    source = load(name)
    assert source.n == 100_000 and source.dtype == np.float32 and means.shape == (k, 2) and deviation == sd
    x = source.read(0, source.n).astype(float)
    off = (x - means[source.labels]) / sd
    np.testing.assert_allclose(off.mean(0), 0, atol=0.02)
    np.testing.assert_allclose(off.std(0), 1, atol=0.02)
    inside = (np.linalg.norm(off, axis=1) <= 3).mean()
    assert inside == pytest.approx(1 - np.exp(-4.5), abs=0.001), "within 3 deviations in two dimensions"
    nearest = np.linalg.norm(x[:500, None] - means, axis=2).argmin(1)
    assert np.array_equal(nearest, source.labels[:500])
    assert np.array_equal(load(name).read(0, 9), source.read(0, 9))
    assert not np.array_equal(worlds.make(name, 100_000, seed=1).read(0, 9), source.read(0, 9))


def test_radius_of_the_rings():
    assert np.allclose(np.linalg.norm(worlds.modes("ring8")[0], axis=1), 2)
    assert np.allclose(np.linalg.norm(worlds.modes("ring8:1")[0], axis=1), 1)
    assert set(worlds.modes("grid25")[0].ravel()) == {-4, -2, 0, 2, 4}


@pytest.mark.parametrize("name", ["ring8:1", "grid25", "biased", "mixture4"])
def test_mixtures_are_drawn_from_the_density_that_they_state(name):
    weights, means, deviations = worlds.mixture(name)
    assert weights.sum() == pytest.approx(1) and means.shape == deviations.shape == (len(weights), 2)
    source = load(name)
    x = source.read(0, source.n).astype(float)
    np.testing.assert_allclose(np.bincount(source.labels) / source.n, weights, atol=0.005)
    for k in range(len(weights)):
        off = (x[source.labels == k] - means[k]) / deviations[k]
        np.testing.assert_allclose(off.mean(0), 0, atol=0.06)
        np.testing.assert_allclose(off.std(0), 1, atol=0.04)
    truth = sum(w * norm.pdf(x[:300], m, s).prod(1) for w, m, s in zip(weights, means, deviations, strict=True))
    np.testing.assert_allclose(worlds.log_density(name, x[:300]), np.log(truth), rtol=1e-9)


def test_a_density_sums_to_one_and_stays_finite_far_away():
    side = np.linspace(-25, 25, 601)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    for name in ("biased", "mixture4"):
        assert np.exp(worlds.log_density(name, grid)).sum() * (side[1] - side[0]) ** 2 == pytest.approx(1, abs=1e-6)
        assert np.isfinite(worlds.log_density(name, grid * 1e3)).all()
    assert np.isfinite(worlds.log_density("ring8", np.array([[100.0, 0.0]]))).all()


def test_embedded_worlds():
    digits = load("digits")
    assert (digits.n, digits.shape, digits.kind) == (1797, (1, 8, 8), "image")
    rows = digits.read(0, 1797)
    assert rows.min() == 0 and rows.max() == 16 and np.bincount(digits.labels).tolist()[0] == 178
    assert load("digits", shape=(64,)).shape == (64,) and load("digits", kind="vector").labels is not None
    for name in ("moons", "circles"):
        source = load(name)
        assert source.shape == (2,) and np.bincount(source.labels).tolist() == [5000, 5000]
    radius = np.linalg.norm(load("circles").read(0, 10_000), axis=1)
    y = load("circles").labels
    assert radius[y == 0].mean() == pytest.approx(1, abs=0.01) and radius[y == 1].mean() == pytest.approx(
        0.5, abs=0.01
    )


def test_stacked_puts_three_digits_together(mnist):
    base, source = load(mnist), load(f"stacked:{mnist}")
    assert source.shape == (3, 28, 28) and source.n == 128_000 and len(source.class_names) == 1000
    rows = source.take([5, 77])
    parts = source.pick[[5, 77]]
    for k in range(2):
        assert np.array_equal(rows[k], base.take(parts[k])[:, 0])
        assert source.labels[[5, 77]][k] == int("".join(str(v) for v in base.labels[parts[k]]))
    assert len(np.unique(source.labels)) == 1000
    assert np.array_equal(load(f"stacked:{mnist}").pick, source.pick)
    assert source.layout.invert(rows).shape == (2, 28, 28, 3)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.integers(0, 80), st.integers(0, 99))
def test_a_balanced_fraction_is_as_even_as_the_classes_allow(y, count, seed):
    count = min(count, len(y))
    few = labelled(load((np.zeros((len(y), 1)), y)), count=count, seed=seed)
    kept = few.labels >= 0
    assert kept.sum() == count and np.array_equal(
        few.labels[kept], load((np.zeros((len(y), 1)), y)).labels[kept]
    )
    have, got = (
        np.bincount(load((np.zeros((len(y), 1)), y)).labels),
        np.bincount(few.labels[kept], minlength=1),
    )
    got = np.pad(got, (0, len(have) - len(got)))
    for k in range(len(have)):
        assert got[k] == have[k] or got[k] >= got.max() - 1


def test_an_unbalanced_fraction_and_seeds():
    digits = load("digits")
    a, b, c = (labelled(digits, fraction=0.1, balanced=False, seed=s).labels for s in (0, 0, 1))
    assert (a >= 0).sum() == 180 and np.array_equal(a, b) and not np.array_equal(a, c)
    assert digits.labels.min() == 0, "the source keeps its labels"
