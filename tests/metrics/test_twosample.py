import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance, wasserstein_distance, wasserstein_distance_nd

from tacit import metrics as m
from tacit.errors import InputError


def brute_mmd(x, y, sigmas, unbiased):
    def k(a, b):
        return np.mean([np.exp(-np.sum((a - b) ** 2) / (2 * s * s)) for s in sigmas])

    n, g = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j or not unbiased)
    yy = sum(k(y[i], y[j]) for i in range(g) for j in range(g) if i != j or not unbiased)
    xy = sum(k(a, b) for a in x for b in y)
    return xx / (n * (n - unbiased)) + yy / (g * (g - unbiased)) - 2 * xy / (n * g)


@pytest.mark.parametrize("unbiased", [True, False])
def test_mmd_equals_brute_force(unbiased):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(11, 3)), rng.normal(size=(8, 3)) + 1
    f = m.mmd(x, y, bandwidths=[0.5, 2.0], unbiased=unbiased)
    assert float(f) == pytest.approx(brute_mmd(x, y, [0.5, 2.0], unbiased))
    assert m.mmd(x, y, unbiased=unbiased, memory_mb=1e-4) == m.mmd(x, y, unbiased=unbiased)


def test_mmd_of_gaussians_closed_form_and_error():
    # E exp(−(a−b)²/2s²) for a−b ~ N(d, 2): s/√(s²+2) · exp(−d²/(2(s²+2)))
    s, d, values, errors = 1.0, 1.0, [], []
    truth = 2 * s / np.sqrt(s * s + 2) * (1 - np.exp(-d * d / (2 * (s * s + 2))))
    for seed in range(80):
        rng = np.random.default_rng(seed)
        f = m.mmd(rng.normal(size=200), rng.normal(size=200) + d, bandwidths=[s])
        values.append(f.value)
        errors.append(f.se)
    assert np.mean(values) == pytest.approx(truth, abs=4 * np.std(values) / np.sqrt(80))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.25)


def test_energy_distance_equals_scipy_and_brute_force():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=60), rng.normal(size=40) + 1
    assert float(m.energy_distance(x, y)) == pytest.approx(energy_distance(x, y) ** 2)
    a, b = rng.normal(size=(30, 3)), rng.normal(size=(20, 3))
    expected = 2 * cdist(a, b).mean() - cdist(a, a).sum() / (30 * 29) - cdist(b, b).sum() / (20 * 19)
    assert float(m.energy_distance(a, b, unbiased=True)) == pytest.approx(expected)


def test_wasserstein_equals_scipy():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=70), rng.exponential(size=50)
    assert float(m.wasserstein1(x, y)) == pytest.approx(wasserstein_distance(x, y))
    a, b = rng.normal(size=(12, 3)), rng.normal(size=(12, 3)) + 1
    assert float(m.wasserstein1(a, b)) == pytest.approx(wasserstein_distance_nd(a, b))
    assert float(m.wasserstein1(a, a + np.array([3, 4, 0]))) == pytest.approx(5)
    line = np.column_stack([x[:50], np.zeros(50)]), np.column_stack([y, np.zeros(50)])
    assert float(m.wasserstein1(*line)) == pytest.approx(wasserstein_distance(x[:50], y))


def test_wasserstein_potentials_are_dual_optimal():
    from tacit.metrics.transport import _line_potentials, _potentials

    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(40, 2)), rng.normal(size=(40, 2)) * 2
    from scipy.optimize import linear_sum_assignment

    cost = cdist(a, b)
    _, to = linear_sum_assignment(cost)
    matched = cost[np.arange(40), to]
    u = _potentials(cost, to, matched)
    v = np.empty(40)
    v[to] = matched - u
    assert (u[:, None] + v <= cost + 1e-8).all()
    assert u.mean() + v.mean() == pytest.approx(matched.mean())
    f, g = _line_potentials(a[:, 0], b[:30, 0])
    assert f.mean() + g.mean() == pytest.approx(wasserstein_distance(a[:, 0], b[:30, 0]))


@pytest.mark.parametrize("columns", [1, 2])
def test_wasserstein_error_matches_repetition(columns):
    values, errors = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        f = m.wasserstein1(rng.normal(size=(150, columns)), rng.normal(size=(150, columns)) * 1.5 + 2)
        values.append(f.value)
        errors.append(f.se)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.3)


def test_the_critics_slope_is_at_most_one_whatever_its_weights():
    import torch

    from tacit.metrics.transport import _lipschitz

    torch.manual_seed(0)
    critic = _lipschitz([5, 16, 8, 1])
    for p in critic.parameters():
        p.data += torch.randn_like(p)
    x = (3 * torch.randn(400, 5)).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(x).sum(), x)
    assert slope.norm(dim=1).max() <= 1 + 1e-5
    between = (critic(x)[:200, 0] - critic(x)[200:, 0]).abs() / (x[:200] - x[200:]).norm(dim=1)
    assert between.max() <= 1 + 1e-5


def test_wasserstein_by_a_critic():
    """A shift: its length; a scale s in d dimensions: |s − 1|·E‖x‖; equal: 0."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3000, 2))
    far = x + np.array([3, 4])
    shift, wide, same = (m.wasserstein1_critic(a, y, steps=150) for a in (far, 2 * x, x))
    print(shift, wide, same)
    assert float(shift) == pytest.approx(5, abs=3 * shift.se)
    truth = np.sqrt(np.pi / 2)
    assert 0.93 * truth - 2 * wide.se <= wide.value <= truth + 2 * wide.se
    assert abs(same.value) <= 3 * same.se
    once, twice = (m.wasserstein1_critic(far, y[:2000], steps=20, seed=3) for _ in range(2))
    assert once == twice
    for wrong, said in (({"widths": (5,)}, "expected even numbers"), ({"held_out": 1.0}, "share between 0 and 1"), ({"steps": 0}, "steps")):
        with pytest.raises(InputError, match=said):
            m.wasserstein1_critic(x, y, **wrong)


@pytest.mark.parametrize("statistic", ["mmd", "energy"])
def test_permutation_test_level_and_power(statistic):
    rejected = 0
    for seed in range(60):
        x, y = np.random.default_rng(seed).normal(size=(2, 30, 2))
        rejected += m.two_sample_test(x, y, statistic=statistic, permutations=99, seed=seed).p_value <= 0.1
    assert 0 < rejected <= 13
    x, y = np.random.default_rng(0).normal(size=(2, 60, 2))
    test = m.two_sample_test(x, y[:50] + 1, statistic=statistic, permutations=199)
    assert test.p_value == 1 / 200 and "199 permutations" in str(test)
    direct = m.mmd(x, y[:50] + 1) if statistic == "mmd" else m.energy_distance(x, y[:50] + 1)
    assert float(test.statistic) == pytest.approx(float(direct))


def test_permutation_test_counts_ties():
    x = np.zeros((10, 1))
    assert m.two_sample_test(x, x, permutations=19).p_value == 1.0


def test_classifier_test():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 2)), rng.normal(size=(500, 2))
    same, shifted = m.classifier_test(x, y), m.classifier_test(x, y + 1)
    assert same.p_value > 0.01 and abs(same.statistic.value - 0.5) < 0.1 and same.statistic.n == 400
    assert shifted.p_value < 1e-6
    # the Bayes classifier is right with Φ(|(1,1)|/2)
    assert float(shifted.statistic) == pytest.approx(0.7602, abs=4 * shifted.statistic.se)


def test_memorisation_test():
    rng = np.random.default_rng(0)
    train, fresh, honest = rng.normal(size=(3, 300, 5))
    copies = train[rng.integers(300, size=300)] + 0.01 * rng.normal(size=(300, 5))
    half = np.concatenate([copies[:150], honest[:150]])
    clean, copied, mixed = (m.memorisation_test(train, fresh, g) for g in (honest, copies, half))
    assert abs(clean.statistic.value - 0.5) < 0.1 and clean.p_value > 0.01
    assert copied.statistic.value > 0.99 and copied.p_value < 1e-6
    assert mixed.statistic.value == pytest.approx(0.75, abs=0.05) and mixed.p_value < 1e-6
    assert m.memorisation_test(train, fresh, honest * 3).statistic.value < 0.2
    near = [
        [min(np.linalg.norm(r - t) for t in train[:40]) for r in rows[:20]] for rows in (half[140:], fresh)
    ]
    brute = np.mean([a < b for a in near[0] for b in near[1]])
    f = m.memorisation_test(train[:40], fresh[:20], half[140:160])
    assert float(f.statistic) == pytest.approx(brute)
    assert 0 < f.statistic.se < 0.2
