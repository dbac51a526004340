"""Whitening and the cut it serves, against dense eigenvectors and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.linalg import eigh

from tacit.uses.whiten import in_order, orthonormal_cut, whitener

G = torch.Generator().manual_seed(0)
Y = torch.randn(40, 4, generator=G, dtype=torch.float64) @ torch.randn(4, 4, generator=G, dtype=torch.float64)
W = torch.rand(40, generator=G, dtype=torch.float64)


@pytest.mark.parametrize("weights", [None, W])
def test_columns_become_orthonormal(weights):
    r = whitener(Y, weights, eps=1e-14)
    w = torch.ones(40, dtype=torch.float64) if weights is None else weights
    z = Y @ r
    torch.testing.assert_close((z * w[:, None]).mT @ z / w.sum(), torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-9)
    assert torch.equal(r, r.triu())
    torch.testing.assert_close(r, whitener(Y, None if weights is None else 7 * weights, eps=1e-14))


def test_float32_comes_back_as_float32_computed_in_float64():
    y = Y.float() * torch.tensor([0.1, 1.0, 10.0, 1.0])
    r = whitener(y, eps=1e-14)
    z = y.double() @ r.double()
    assert r.dtype == torch.float32
    torch.testing.assert_close(z.mT @ z / 40, torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-3)


def test_gradient_is_that_of_finite_differences():
    y = Y[:8, :3].clone().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda v: whitener(v), (y,))
    assert torch.autograd.gradcheck(lambda v, w: whitener(v, w), (y, W[:8].clone().requires_grad_(True)))
    ends = (Y[8:14, :3].clone().requires_grad_(True), Y[14:20, :3].clone().requires_grad_(True))
    assert torch.autograd.gradcheck(orthonormal_cut, (y, *ends))


@pytest.mark.parametrize("y", [torch.ones(6, 3), Y[:, :1].repeat(1, 4), torch.cat([Y[:, :3], Y[:, :1] + Y[:, 1:2]], 1), Y[:3]])
def test_rank_deficient_rows_do_not_stop_it(y):
    y = y.clone().requires_grad_(True)
    r = whitener(y)
    (y @ r).square().sum().backward()
    assert torch.isfinite(r).all() and torch.isfinite(y.grad).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_what_cannot_be_whitened_becomes_nan_for_the_engine_to_report(value):
    assert not torch.isfinite(whitener(torch.full((6, 3), value))).all()


# ---------------------------------------------------------------------- the cut


def counted() -> tuple[np.ndarray, torch.Tensor, torch.Tensor]:
    """A graph with whole weights: its edges, each as often as it weighs, and its rows, each as often as its degree."""
    rng = np.random.default_rng(0)
    w = np.triu(rng.integers(0, 4, (12, 12)) * (rng.random((12, 12)) < 0.5), 1)
    w += np.diag(np.ones(11, int), 1)
    i, j = np.nonzero(w)
    pairs = np.repeat(np.stack([i, j], 1), w[i, j], 0)
    w = w + w.T
    return w.astype(float), torch.from_numpy(pairs), torch.from_numpy(np.repeat(np.arange(12), w.sum(1)))


WEIGHTS, PAIRS, BY_DEGREE = counted()
VALUES, VECTORS = eigh(np.diag(WEIGHTS.sum(1)) - WEIGHTS, np.diag(WEIGHTS.sum(1)))


def cut(y: torch.Tensor) -> torch.Tensor:
    return orthonormal_cut(y[BY_DEGREE], y[PAIRS[:, 0]], y[PAIRS[:, 1]])


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_eigenvectors_cut_is_the_sum_of_their_eigenvalues(k):
    y = torch.from_numpy(VECTORS[:, :k].copy()).requires_grad_(True)
    value = cut(y)
    assert value.item() == pytest.approx(VALUES[:k].sum(), rel=1e-4, abs=1e-12)
    (slope,) = torch.autograd.grad(value, y)
    assert slope.abs().max() < 1e-4 * y.detach().abs().max()


def test_any_basis_of_the_eigenvectors_cuts_the_same_and_nothing_cuts_less():
    best = VALUES[:3].sum()
    first = torch.from_numpy(VECTORS[:, :3].copy())
    for _ in range(5):
        turn = torch.linalg.qr(torch.randn(3, 3, generator=G, dtype=torch.float64))[0]
        assert cut(first @ turn * torch.tensor([0.5, 1.0, 2.0])).item() == pytest.approx(best, rel=1e-3)
        assert cut(torch.randn(12, 3, generator=G, dtype=torch.float64)).item() > 1.1 * best
    others = torch.from_numpy(VECTORS[:, [0, 2, 5]].copy())
    assert cut(others).item() == pytest.approx(VALUES[[0, 2, 5]].sum(), rel=1e-4)


def test_the_cut_is_float32_inside_autocast():
    y = torch.from_numpy(VECTORS[:, :3].copy()).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = cut(y)
    assert value.dtype == torch.float32 and value.item() == pytest.approx(VALUES[:3].sum(), rel=1e-3)


def test_a_span_gives_away_the_eigenvectors_that_it_holds():
    """Of D⁻¹L by degree, and of L where rows count evenly, in order, with their eigenvalues."""
    rng = np.random.default_rng(0)
    w = np.triu(rng.random((30, 30)) * (rng.random((30, 30)) < 0.5), 1)
    w = w + w.T
    d = w.sum(1)
    mix = rng.normal(size=(4, 4))
    for weights in (torch.from_numpy(d), None):
        values, vectors = eigh(np.diag(d) - w, None if weights is None else np.diag(d))
        y = torch.from_numpy(vectors[:, [0, 3, 1, 7]] @ mix)
        turned, energies = in_order(y, whitener(y, weights, 1e-12), sp.csr_matrix(w))
        scale = 1.0 if weights is not None else 30 / d.sum()
        np.testing.assert_allclose(energies, values[[0, 1, 3, 7]] * scale, atol=1e-9)
        z = (y @ turned).numpy()
        z /= np.linalg.norm(z, axis=0)
        want = vectors[:, [0, 1, 3, 7]] / np.linalg.norm(vectors[:, [0, 1, 3, 7]], axis=0)
        np.testing.assert_allclose(np.abs((z * want).sum(0)), 1, atol=1e-6)
