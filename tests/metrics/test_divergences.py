import numpy as np
import pytest
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from tacit import metrics as m


def gaussians(mu, s=1.0):
    """Closed forms of D(N(mu, s²) ‖ N(0, 1))."""
    v = s * s
    out = {
        "kl": -np.log(s) + (v + mu**2 - 1) / 2,
        "reverse-kl": np.log(s) + (1 + mu**2) / (2 * v) - 0.5,
        "squared-hellinger": 2 - 2 * np.sqrt(2 * s / (1 + v)) * np.exp(-(mu**2) / (4 * (1 + v))),
    }
    if v < 2:
        out["pearson"] = np.exp(mu**2 / (2 - v)) / (s * np.sqrt(2 - v)) - 1
    return out


@pytest.mark.parametrize(("mu", "s"), [(0, 1), (1, 1), (0.5, 1.3), (-2, 0.7)])
def test_quadrature_equals_closed_forms(mu, s):
    p, q = norm(mu, s).logpdf, norm(0, 1).logpdf
    for name, expected in gaussians(mu, s).items():
        f = m.divergence_1d(name, p, q, -25, 25)
        assert float(f) == pytest.approx(expected, abs=1e-8), name
        assert f.se < 1e-6


def test_jensen_shannon_and_gan_by_quadrature():
    p, q = norm(3, 1).logpdf, norm(0, 1).logpdf

    def half(a, b):
        return m.divergence_1d("kl", a, lambda x: np.logaddexp(p(x), q(x)) - np.log(2), -20, 20).value / 2

    js = m.divergence_1d("jensen-shannon", p, q, -20, 20).value
    assert js == pytest.approx(half(p, q) + half(q, p), abs=1e-9)
    assert m.divergence_1d("gan", p, q, -20, 20).value == pytest.approx(2 * js - np.log(4), abs=1e-9)
    far = norm(30, 1).logpdf
    assert m.divergence_1d("jensen-shannon", far, q, -10, 40).value == pytest.approx(np.log(2), abs=1e-9)
    assert m.divergence_1d("squared-hellinger", far, q, -10, 40).value == pytest.approx(2, abs=1e-9)
    assert m.divergence_1d("gan", q, q, -10, 10).value == pytest.approx(-np.log(4), abs=1e-9)


def test_uniform_densities_by_quadrature():
    def uniform(a, b):
        return lambda x: np.where((x >= a) & (x <= b), -np.log(b - a), -np.inf)

    p, q = uniform(0, 1), uniform(0, 2)
    assert m.divergence_1d("kl", p, q, -1, 3).value == pytest.approx(np.log(2), abs=1e-3)
    assert m.divergence_1d("pearson", p, q, -1, 3).value == pytest.approx(1, abs=1e-3)
    assert m.divergence_1d("squared-hellinger", p, q, -1, 3).value == pytest.approx(2 - np.sqrt(2), abs=1e-3)


@pytest.mark.parametrize("name", list(m.DIVERGENCES))
def test_samples_agree_with_quadrature(name):
    mu, s = 0.8, 0.9
    rng = np.random.default_rng(0)
    x, y = rng.normal(mu, s, 6000), rng.normal(size=5000)
    truth = m.divergence_1d(name, norm(mu, s).logpdf, norm(0, 1).logpdf, -20, 20).value
    f = m.f_divergence(name, x, y)
    assert float(f) == pytest.approx(truth, abs=max(4 * f.se, 0.02))
    assert f.se < 0.12 and f.low < truth + 2 * f.se


def test_samples_in_several_dimensions_and_of_one_distribution():
    rng = np.random.default_rng(1)
    x, y = rng.normal([1, 0, 0], 1, (4000, 3)), rng.normal(size=(4000, 3))
    assert float(m.f_divergence("kl", x, y)) == pytest.approx(0.5, abs=0.08)
    same = m.f_divergence("jensen-shannon", y[:2000], y[2000:])
    assert abs(same.value) < 0.01


def test_a_weak_classifier_errs_low_and_wide_data_take_the_perceptron():
    rng = np.random.default_rng(2)
    x, y = rng.normal(0, 3, 3000), rng.normal(0, 1, 3000)
    weak = m.f_divergence("jensen-shannon", x, y, classifier=LogisticRegression())
    good = m.f_divergence("jensen-shannon", x, y)
    truth = m.divergence_1d("jensen-shannon", norm(0, 3).logpdf, norm(0, 1).logpdf, -40, 40).value
    assert weak.value < 0.02 < good.value and good.value == pytest.approx(truth, abs=0.02)
    a, b = rng.normal(size=(600, 40)) + 0.5, rng.normal(size=(600, 40))
    assert 0.3 < m.f_divergence("jensen-shannon", a, b, folds=2).value <= np.log(2)


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5, 1.5])
def test_jensen_shannon_by_a_classifier_between_shifted_uniforms(shift):
    """U[0, 1] and U[a, 1 + a]: min(a, 1)·log 2, by a classifier that can step."""
    rng = np.random.default_rng(4)
    x, y = rng.random(6000), rng.random(6000) + shift
    f = m.f_divergence("jensen-shannon", x, y, classifier=HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=4, random_state=0))
    assert float(f) == pytest.approx(min(shift, 1) * np.log(2), abs=max(4 * f.se, 0.015))


def test_log_ratio_is_the_ratio():
    rng = np.random.default_rng(3)
    x, y = rng.normal(1, 1, 4000), rng.normal(size=2000)
    t, n = m.log_ratio(x, y)
    assert n == 4000 and np.abs(t - (np.concatenate([x, y]) - 0.5)).mean() < 0.1
