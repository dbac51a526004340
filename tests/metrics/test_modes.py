import numpy as np
import pytest
from scipy.stats import entropy, norm
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier

from tacit import metrics as m

RING = np.stack([2 * np.cos(np.arange(8) * np.pi / 4), 2 * np.sin(np.arange(8) * np.pi / 4)], 1)
GRID = np.stack(np.meshgrid([-4, -2, 0, 2, 4], [-4, -2, 0, 2, 4]), -1).reshape(-1, 2)


def brute(x, means, sd):
    good, captured, nearest = 0, set(), []
    for row in x:
        d = [np.linalg.norm(row - mean) for mean in means]
        j = int(np.argmin(d))
        nearest.append(j)
        if d[j] <= 3 * sd:
            good += 1
            captured.add(j)
    return good / len(x), len(captured), np.bincount(nearest, minlength=len(means)) / len(x)


@pytest.mark.parametrize(("means", "sd", "kept"), [(RING, 0.02, 5), (GRID, 0.05, 19)])
def test_modes_equal_brute_force(means, sd, kept):
    rng = np.random.default_rng(0)
    which = rng.integers(kept, size=2500)
    x = means[which] + rng.normal(size=(2500, 2)) * sd * 1.7
    f = m.modes(x, means, sd)
    good, captured, shares = brute(x, means, sd)
    assert float(f.high_quality) == pytest.approx(good) and f.high_quality.n == 2500
    assert (f.captured, f.missing, f.n_modes) == (captured, len(means) - captured, len(means))
    assert float(f.reverse_kl) == pytest.approx(entropy(shares, np.full(len(means), 1 / len(means))))
    assert f.reverse_kl.low <= f.reverse_kl.value <= f.reverse_kl.high


def test_the_share_within_three_deviations_is_rayleigh():
    x = RING[np.arange(20_000) % 8] + np.random.default_rng(0).normal(size=(20_000, 2)) * 0.02
    f = m.modes(x, RING, 0.02, count=None)
    assert float(f.high_quality) == pytest.approx(1 - np.exp(-4.5), abs=4 * f.high_quality.se)
    assert f.captured == 8 and float(f.reverse_kl) < 1e-3


def test_only_the_protocols_count_is_used_and_widths_may_differ():
    x = np.concatenate([np.zeros((2500, 2)), RING.repeat(10, 0)])
    means = np.concatenate([np.zeros((1, 2)), RING])
    assert m.modes(x, means, 0.02).captured == 1
    assert m.modes(x, means, 0.02, count=None).captured == 9
    assert m.modes(x + 0.1, means, [1.0] + [0.001] * 8, count=None).captured == 1


def test_reverse_kl_uses_the_data_s_shares():
    x = np.array([[0.0]] * 30 + [[1.0]] * 10)
    assert float(m.modes(x, [[0.0], [1.0]], 0.1, weights=[3, 1], count=None).reverse_kl) == pytest.approx(0)


def test_stacked_digits_by_a_classifier():
    digits = np.random.default_rng(0).integers(10, size=(500, 3))
    digits[:, 0] = 4
    pictures = np.broadcast_to(digits[:, :, None, None], (500, 3, 4, 4)).astype(np.uint8)
    f = m.stacked_modes(pictures, lambda p: p.reshape(len(p), -1).max(1), count=None)
    codes = digits @ [100, 10, 1]
    assert f.captured == len(set(codes)) and f.missing == 1000 - len(set(codes)) and f.high_quality is None
    shares = np.bincount(codes, minlength=1000) / 500
    assert float(f.reverse_kl) == pytest.approx(entropy(shares, np.full(1000, 1e-3)))
    real = np.stack(np.meshgrid(*[np.arange(10)] * 3), -1).reshape(-1, 3)
    same = m.stacked_modes(pictures, lambda p: p.reshape(len(p), -1).max(1), count=None, reference=real)
    assert float(same.reverse_kl) == pytest.approx(float(f.reverse_kl))


def test_label_modes():
    f = m.label_modes([0, 0, 1, 1, 1, 1], 3, reference=[0.5, 0.25, 0.25])
    assert (f.captured, f.missing) == (2, 1)
    assert float(f.reverse_kl) == pytest.approx(1 / 3 * np.log(2 / 3) + 2 / 3 * np.log(8 / 3))
    assert "2 of 3 modes" in str(f)


def ring(rng, n, kept=8, sd=0.02):
    return RING[np.arange(n) % kept] + sd * rng.normal(size=(n, 2))


@pytest.mark.parametrize("kept", [8, 7, 5, 1])
def test_missing_modes_are_found_without_knowing_them(kept):
    rng = np.random.default_rng(kept)
    f = m.missing_modes(ring(rng, 2000), ring(rng, 1500, kept))
    assert float(f) == pytest.approx(1 - kept / 8, abs=0.01) and f.n == 2000
    assert f.se == pytest.approx(np.sqrt(f.value * (1 - f.value) / 1999), abs=1e-6)


def test_a_thin_mode_is_not_a_missing_one():
    rng = np.random.default_rng(0)
    full = ring(rng, 2000)
    thin = np.concatenate([ring(rng, 1750, 7), full[7::8][:60]])  # the eighth at a quarter of its share
    assert float(m.missing_modes(full, thin)) < 0.02
    near = KNeighborsClassifier(150)  # D* in the thin mode is 1/(1 + 1/4) = .8, elsewhere ½
    assert float(m.missing_modes(full, thin, classifier=near, threshold=0.7)) == pytest.approx(1 / 8, abs=0.02)
    assert float(m.missing_modes(full, thin, classifier=near, threshold=0.9)) == 0


def test_missing_share_of_gaussians_is_the_closed_form():
    # log p/q = 2 − 2x for N(0, 1) against N(2, 1): above log 19 where x < 1 − log(19)/2
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=8000), rng.normal(size=8000) + 2
    truth = norm.cdf(1 - np.log(19) / 2)
    exact = m.missing_modes(x, y, classifier=LogisticRegression())
    assert float(exact) == pytest.approx(truth, abs=4 * exact.se)
    assert float(m.missing_modes(x, y)) == pytest.approx(truth, abs=0.05)
    assert m.missing_modes(x, y[:4000], classifier=LogisticRegression()).value == pytest.approx(truth, abs=0.03)
    assert m.missing_modes(x, y, noise=3.0, classifier=LogisticRegression()).value < truth / 2


def test_missing_modes_equal_brute_force():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)), rng.normal(size=(90, 2)) + 1
    rows, side = np.concatenate([x, y]), np.repeat([1, 0], [60, 90])
    missed = 0
    for train, test in StratifiedKFold(4, shuffle=True, random_state=3).split(rows, side):
        odds = side[train].sum() / (1 - side[train]).sum()
        for p, real in zip(LogisticRegression().fit(rows[train], side[train]).predict_proba(rows[test])[:, 1], side[test], strict=True):
            balanced = p / odds / (p / odds + 1 - p)
            missed += real and balanced > 0.6
    f = m.missing_modes(x, y, threshold=0.6, classifier=LogisticRegression(), seed=3)
    assert float(f) == missed / 60 and 0 < missed < 60
