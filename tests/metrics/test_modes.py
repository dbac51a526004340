import numpy as np
import pytest
from scipy.stats import entropy

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
