"""Adversarial divergences: suprema against closed forms and brute force, f = m − r, moments under restricted critics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from tacit import InputError
from tacit import metrics as m
from tacit.metrics.adversarial import CONVEX

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(9, 2)), 0.7 * RNG.normal(size=(7, 2)) + 0.4
P, Q = RNG.dirichlet(np.ones(9)), RNG.dirichlet(np.ones(7))
ALL = m.adversarial_divergences()
each = pytest.mark.parametrize("d", ALL, ids=[f"{d.letter}-{getattr(d, 'divergence', '')}" for d in ALL])
TABLE = np.arange(5.0)
MU, NU = np.array([0.1, 0.4, 0.2, 0.2, 0.1]), np.array([0.3, 0.1, 0.1, 0.2, 0.3])


def phi(rows: torch.Tensor) -> torch.Tensor:
    return torch.cat([rows, rows.square()], 1)


def wiggle(rows: torch.Tensor) -> torch.Tensor:
    """A critic inside every domain: values in (−.9, −.1)."""
    return -0.5 + 0.4 * torch.tanh(rows.sum(1) * 1.3 + 0.2)


def test_all_five_families_are_here_and_say_why_they_are_strict():
    assert [d.letter for d in ALL] == ["a", "b", "b", "b", "b", "b", "c", "d", "e"]
    assert all(d.strict.startswith("strict") for d in ALL)
    assert [d.metrises for d in ALL] == [False] * 6 + [True] * 3


@each
def test_f_is_m_less_r_and_the_neutral_critic_is_neutral(d):
    parts, (m0, r0) = d.parts(wiggle, X, Y), d.parts(d.neutral(X, Y, P, Q), X, Y)
    vx, vy = (wiggle(torch.from_numpy(z)).numpy() for z in (X, Y))
    if d.letter == "a":
        sigma = [1 / (1 + np.exp(-v)) for v in (vx, vy)]
        f = np.log(sigma[0])[:, None] + np.log(1 - sigma[1])[None]
        assert r0 == pytest.approx(math.log(4)) and (parts[1] >= math.log(4)).all()
    elif d.letter == "b":
        f = vx[:, None] - CONVEX[d.divergence].conjugate(torch.from_numpy(vy)).numpy()[None]
        assert r0 == pytest.approx(0, abs=1e-12) and (parts[1] > 0).all()
    elif d.letter in "cd":
        f = vx[:, None] - vy[None]
        assert not r0.any() and not parts[1].any()
    else:
        t = (np.arange(4000) + 0.5) / 4000
        at = t[:, None] * X[2] + (1 - t[:, None]) * Y[3]
        slope = 0.4 * 1.3 * (1 - np.tanh(at.sum(1) * 1.3 + 0.2) ** 2) * math.sqrt(2)
        r = 10 * ((slope - 1) ** 2).mean()
        assert parts[1][2, 3] == pytest.approx(r, rel=1e-5)
        f = parts[0] - parts[1]
        assert f[2, 3] == pytest.approx(vx[2] - vy[3] - r, rel=1e-5)
        assert r0 == pytest.approx(0, abs=1e-20) and P @ m0 @ Q >= 0
    assert parts[0] - parts[1] == pytest.approx(f)
    if d.letter != "e":
        assert P @ m0 @ Q == pytest.approx(0, abs=1e-12)
    assert P @ (m0 - r0) @ Q == pytest.approx(d.least + P @ m0 @ Q, abs=1e-12)
    assert d.earned(wiggle, X, Y, P, Q) == pytest.approx(P @ f @ Q)


@each
def test_exact_suprema_on_a_table(d):
    found = d.exact(TABLE, TABLE, MU, NU)
    assert d.exact(TABLE, TABLE, MU, MU).value == pytest.approx(d.least, abs=1e-12)
    assert found.value > d.least + 1e-3
    kl = {(a, b): float((u * np.log(u / v)).sum()) for a, u in (("p", MU), ("m", (MU + NU) / 2), ("q", NU)) for b, v in
          (("p", MU), ("m", (MU + NU) / 2), ("q", NU))}  # fmt: skip
    js = (kl["p", "m"] + kl["q", "m"]) / 2
    k = np.exp(-((TABLE[:, None] - TABLE) ** 2) / 2)
    g = np.cumsum(NU - MU)[:-1]
    told = {
        "a": 2 * js - math.log(4), "c": math.sqrt((MU - NU) @ k @ (MU - NU)), "d": np.abs(g).sum(), "kl": kl["p", "q"],
        "reverse-kl": kl["q", "p"], "pearson": ((MU - NU) ** 2 / NU).sum(), "jensen-shannon": js,
        "squared-hellinger": ((np.sqrt(MU) - np.sqrt(NU)) ** 2).sum(),
    }  # fmt: skip
    key = d.divergence if d.letter == "b" else d.letter
    if key in told:
        assert found.value == pytest.approx(told[key])
        best = found.critic
        assert best is not None

        def critic(rows: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(best)[rows[:, 0].long()]

        assert d.earned(critic, TABLE, TABLE, MU, NU) == pytest.approx(found.value), "the critic earns what is said"


def test_the_penalised_supremum_on_the_line_against_brute_force():
    """Slopes of 40 cells, each free, by direct ascent of (e)'s own formula; p = 2 and 3."""
    x, y, cells = np.array([0.0, 0.5, 2.0]), np.array([1.0, 1.5]), 40
    edges = np.linspace(0, 2, cells + 1)
    for power, eta in ((2.0, 0.7), (3.0, 2.0)):
        d = m.WGANGPDivergence(eta, power)
        cover = np.zeros(cells)
        for a in x:
            for b in y:
                low, high = min(a, b), max(a, b)
                cover += np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None) / (high - low) / 6

        def lost(s, eta=eta, power=power, cover=cover):
            v = np.concatenate([[0], np.cumsum(s) * 2 / cells])
            return eta * (cover * np.abs(np.abs(s) - 1) ** power).sum() - (np.interp(x, edges, v).mean() - np.interp(y, edges, v).mean())

        start = np.where(((x[:, None] <= edges[:-1]).mean(0) - (y[:, None] <= edges[:-1]).mean(0)) > 0, -1.2, 1.2)
        found = minimize(lost, start, method="L-BFGS-B", options={"maxfun": 10**6})
        assert d.exact(x, y).value == pytest.approx(-found.fun, rel=1e-4)
        assert d.exact(x, y).value > m.WGANDivergence().exact(x, y).value
    for seed in range(20):
        x, y = np.random.default_rng(seed).random((2, 6)) * [[1.0], [0.5]]
        w, eta, length = m.WGANDivergence().exact(x, y).value, 0.3, np.ptp([x, y])
        assert w <= m.WGANGPDivergence(eta).exact(x, y).value <= (1 + length / (4 * eta)) * w + 1e-12
    with pytest.raises(InputError, match=r"2 columns; the exact supremum of .e. is known on the line only"):
        m.WGANGPDivergence().exact(X, Y)


def test_points_that_draw_near():
    """δ at 1/n → δ at 0: (c), (d), (e) go to 0, as 1/n; JSD stays log 2, (a) and (b) where they are."""
    for n in (1, 4, 64, 1024):
        value = {d.letter + getattr(d, "divergence", ""): d.exact([0.0], [1 / n]).value for d in ALL}
        assert value["a"] == pytest.approx(0, abs=1e-12) and value["bjensen-shannon"] == pytest.approx(math.log(2))
        assert value["bsquared-hellinger"] == pytest.approx(2) and value["bkl"] == value["breverse-kl"] == value["bpearson"] == math.inf
        assert value["d"] == pytest.approx(1 / n) and value["e"] == pytest.approx(1 / n + 1 / (40 * n * n))
        assert value["c"] == pytest.approx(math.sqrt(2 - 2 * math.exp(-1 / (2 * n * n))))


def test_several_columns_and_both_forms_of_w1():
    w = m.WGANDivergence().exact(X[:7], Y)
    assert w.value == pytest.approx(float(m.wasserstein1(X[:7], Y)))
    assert (np.abs(w.critic[:, None] - w.critic) <= cdist(w.atoms, w.atoms) + 1e-7).all()
    line = m.WGANDivergence(2.0)
    column = np.column_stack([X[:, :1], np.zeros(9)]), np.column_stack([Y[:, :1], np.zeros(7)])
    assert line.exact(X[:, :1], Y[:, :1], P, Q).value == pytest.approx(line.exact(*column, P, Q).value)
    same = m.MMDDivergence((0.5, 2.0)).exact(X, Y).value ** 2
    assert same == pytest.approx(float(m.mmd(X, Y, bandwidths=[0.5, 2.0], unbiased=False)))


def twins() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two different measures on a grid of the plane with the same E x_i and E x_i², and one that differs in the mean."""
    grid = np.stack(np.meshgrid([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]), -1).reshape(-1, 2)
    flat = np.full(9, 1 / 9)
    tilt = flat + 0.04 * np.prod(grid, 1)  # moves the correlation alone
    moved = flat + 0.03 * grid[:, 0]
    assert not np.allclose(flat, tilt)
    return grid, tilt, moved


@each
def test_critics_linear_in_features_see_their_moments_and_nothing_else(d):
    grid, tilt, moved = twins()
    blind, sees = d.restricted(grid, grid, phi, None, tilt), d.restricted(grid, grid, phi, None, moved)
    assert blind.value == pytest.approx(d.least, abs=1e-8) and sees.value > d.least + 1e-4
    if d.letter != "e":
        assert d.exact(grid, grid, None, tilt).value > d.least + 1e-3, "the whole family does"
        assert sees.value <= d.exact(grid, grid, None, moved).value + 1e-9 or d.letter == "c"
    critic = np.column_stack([np.ones(9), phi(torch.from_numpy(sees.atoms)).numpy()]) @ sees.theta
    assert critic == pytest.approx(sees.critic)
    if d.letter in "ab":
        at = {tuple(r): v for r, v in zip(sees.atoms, sees.critic)}
        earned = d.earned(lambda rows: torch.tensor([at[tuple(r)] for r in rows.tolist()]).double(), grid, grid, None, moved)
        assert earned == pytest.approx(sees.value)


@each
def test_restricted_suprema_between_samples(d):
    """Against a general optimiser, where the family is bounded; the sup is no more than that of the whole family."""
    found = d.restricted(X, Y, phi, P, Q)
    F = np.column_stack([np.ones(16), phi(torch.from_numpy(np.concatenate([X, Y]))).numpy()])
    if d.letter == "c":
        gap = F[:9, 1:].T @ P - F[9:, 1:].T @ Q
        assert found.value == pytest.approx(np.linalg.norm(gap))
    elif d.letter == "d":
        assert found.value <= d.exact(X, Y, P, Q).value + 1e-9
        v = F[:, 1:] @ found.theta[1:]
        far = cdist(np.concatenate([X, Y]), np.concatenate([X, Y]))
        assert (np.abs(v[:, None] - v) <= far + 1e-7).all() and P @ v[:9] - Q @ v[9:] == pytest.approx(found.value)
    elif d.letter == "e":
        v = torch.from_numpy(found.theta[1:])
        assert d.earned(lambda rows: phi(rows) @ v, X, Y, P, Q) == pytest.approx(found.value, rel=1e-3)
        assert found.value >= d.earned(d.neutral(X, Y, P, Q), X, Y, P, Q) - 1e-9
    elif math.isfinite(found.value):

        def lost(theta):
            v = torch.from_numpy(F @ theta)
            value = -float(torch.from_numpy(P) @ d.t(v[:9]) - torch.from_numpy(Q) @ d.paid(v[9:]))
            return value if math.isfinite(value) else 1e6

        for seed in range(3):
            start = np.r_[d.start, np.zeros(4)] + 1e-3 * np.random.default_rng(seed).normal(size=5) * [0, 1, 1, 1, 1]
            other = minimize(lost, start, method="Nelder-Mead", options={"maxiter": 4000, "fatol": 1e-10, "xatol": 1e-8})
            assert -other.fun <= found.value + 1e-7
        assert found.attained or d.letter == "a"
    else:
        assert not found.attained


def test_what_no_finite_weights_attain_is_said():
    apart = m.FGANDivergence("kl").restricted([0.0, 1.0], [2.0, 3.0], lambda r: r)
    assert apart.value == math.inf and not apart.attained
    near = m.GANDivergence().restricted([0.0, 1.0], [2.0, 3.0], lambda r: r)
    assert near.value == pytest.approx(0, abs=1e-6)


def test_refusals():
    with pytest.raises(InputError, match="did you mean 'pearson'"):
        m.FGANDivergence("pearsn")
    with pytest.raises(InputError, match="p holds 2 weights"):
        m.GANDivergence().exact([0.0], [1.0], p=[0.5, 0.5])
    with pytest.raises(InputError, match="expected finite numbers"):
        m.GANDivergence().restricted([0.0, 1.0], [1.0], lambda r: r.log())
    with pytest.raises(InputError, match="takes at most 400"):
        m.WGANDivergence().exact(np.arange(900.0).reshape(-1, 2), np.zeros((1, 2)))
    with pytest.raises(InputError, match=r"power is 1\.0"):
        m.WGANGPDivergence(power=1.0)
