"""Distilled: its loss by hand, its answers, its leftovers; rows before they are clustered."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.nn.functional import log_softmax

import tacit
from tacit.core import Nets, Round
from tacit.data import Spec, load
from tacit.uses.graph import couple_cells
from tacit.uses.rows import fences, gap, log_normalised, principal, project


def two(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return (np.where(y, 5.0, 0.0)[:, None] + rng.normal(size=(n, 2))).astype(np.float32), y


def test_the_loss_by_hand():
    system = tacit.Distilled(n_clusters=3, smoothing=0.3, networks=tacit.MLP(widths=(4,)), augment=tacit.augmentations.NoAugmentation())
    spec = Spec.learn(load(two()[0]))
    n = Nets(system.nets(spec), {})
    x, y = torch.randn(5, 2), torch.tensor([0, 1, 2, 0, 1])
    want = torch.full((5, 3), 0.1)
    want[torch.arange(5), y] += 0.7
    by_hand = -(want * log_softmax(n.Q(x), 1)).sum(1).mean()
    assert system.loss(n, Round(x=x, y=y, t=torch.zeros(5, 0)))["cross-entropy"].item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_new_rows_get_the_taught_clusters_and_far_ones_are_leftovers():
    x, y = two()
    model = tacit.Distilled(n_clusters=2).fit((x, y), steps=150)
    new, truth = two(200, 1)
    assert (model.cluster(new) == truth).mean() > 0.97
    far = np.array([[30.0, -30.0], [2.5, 25.0], [-14.0, 8.0]], np.float32)
    assert (model.score(far) < 0).all() and (model.score(new) > 0).mean() > 0.97
    np.testing.assert_allclose(model.encode(new).sum(1), 1, rtol=1e-5)
    marked = tacit.Model(tacit.Distilled(n_clusters=2, mark=True), model.spec, model.nets)
    np.testing.assert_array_equal(marked.cluster(far), [-1, -1, -1])
    kept = model.score(new) >= 0
    np.testing.assert_array_equal(marked.cluster(new)[kept], model.cluster(new)[kept])


def test_leftovers_among_two_moons_in_noise():
    """One row in twenty is spread over a square around the moons; most of those far from both are marked, few of the moons' own."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(0)
    moons = load("moons").read(0, 10_000)[:2000]
    noise = rng.uniform([-2, -1.5], [3, 2], size=(100, 2)).astype(np.float32)
    far = cKDTree(moons).query(noise)[0] > 0.3
    y = np.r_[load("moons").labels[:2000], (noise[:, 1] < 0.25).astype(int)]
    model = tacit.Distilled(n_clusters=2, networks=tacit.MLP(widths=(32,))).fit((np.concatenate([moons, noise]), y), steps=100)
    assert far.sum() > 40
    assert (model.score(noise[far]) < 0).mean() > 0.8
    assert (model.score(moons) < 0).mean() < 0.02


def test_rows_without_clusters_are_refused():
    with pytest.raises(tacit.InputError, match="the data has no labels; expected every row to have one"):
        tacit.Distilled(n_clusters=2).fit(two()[0], steps=2)
    with pytest.raises(tacit.InputError, match="labels from 0 to 3"):
        tacit.Distilled(n_clusters=2).fit({"x": (two()[0], np.arange(300) % 4)}, steps=2)
    with pytest.raises(tacit.InputError, match="lower components"):
        tacit.Distilled(n_clusters=2, components=3).fit(two(), steps=2)
    with pytest.raises(tacit.InputError, match="leave counts out"):
        tacit.Distilled(n_clusters=2, counts=True).fit(two(), steps=2)


def test_counts_are_read_whatever_their_totals():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    rates = np.where(y[:, None] == (np.arange(30) < 15), 0.5, 2.0) * rng.uniform(0.5, 6, size=(200, 1))
    x = rng.poisson(rates).astype(np.float32)
    model = tacit.Distilled(n_clusters=2, counts=True, components=5).fit((x, y), steps=150)
    assert (model.cluster(x) == y).mean() > 0.95
    np.testing.assert_allclose(model.encode(3 * x), model.encode(x), atol=1e-4)
    got = log_normalised(torch.from_numpy(x))
    np.testing.assert_allclose(got.numpy(), np.log1p(1e4 * x / x.sum(1, keepdims=True)), rtol=1e-5)


def test_principal_components_are_scikit_learns_in_one_unit():
    x = np.random.default_rng(0).normal(size=(200, 6)) * [5, 3, 2, 1, 0.5, 0.01] + 4
    by = principal(torch.from_numpy(x).float(), 3, 5, seed=0)
    assert by["columns"].tolist() == [0, 1, 2, 3, 4]
    got = project(torch.from_numpy(x).float(), by).numpy()
    want = PCA(3).fit_transform(x[:, :5])
    unit = np.sqrt(PCA(3).fit(x[:, :5]).explained_variance_.mean())
    np.testing.assert_allclose(np.abs(got), np.abs(want) / unit, atol=1e-4)
    assert float((got**2).mean()) == pytest.approx(199 / 200, rel=1e-3)


def test_gaps_and_fences_by_hand():
    x = torch.tensor([[0.0], [1.0], [10.0]])
    assert gap(x, torch.tensor([[0.0], [2.0], [3.0]]), 2).tolist() == [2.0, 1.0, 8.0]
    values = torch.exp(torch.arange(1.0, 10.0)).double()
    low, high = np.quantile(np.arange(1.0, 10.0), [0.25, 0.75])
    found = fences(values, torch.zeros(9, dtype=torch.long), 2, 1.5)
    np.testing.assert_allclose(found.log().numpy(), high + 1.5 * (high - low), rtol=1e-6)


def test_cells_are_joined_by_the_share_of_the_smaller_ones_edges():
    """By hand: cell 3 is small and gives half of its edges to cell 2; cells 0 and 1 are large and joined by more weight in all."""
    import scipy.sparse as sp

    w = np.array([[10.0, 3, 0, 0], [3, 10, 0.1, 0], [0, 0.1, 8, 0.5], [0, 0, 0.5, 0.5]])
    cells = np.arange(4)
    assert couple_cells(sp.csr_matrix(w), cells, 3).tolist() == [0, 1, 2, 2]
    assert couple_cells(sp.csr_matrix(w), cells, 2).tolist() == [0, 0, 1, 1]
    lone = np.diag([10.0, 10.0, 0.05]) + np.array([[0, 2, 0], [2, 0, 1e-3], [0, 1e-3, 0]])
    assert couple_cells(sp.csr_matrix(lone), np.arange(3), 2, least=0.01).tolist() == [0, 1, 1]
    assert couple_cells(sp.csr_matrix(lone), np.arange(3), 2, least=0.0).tolist() == [0, 0, 1]
