import numpy as np
import pytest
import torch
from torch import nn

from tacit import metrics as m

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:torchmetrics")


def sets(n=600, d=8, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, d)).astype(np.float32)
    b = (rng.normal(size=(n + 100, d)) @ (np.eye(d) + 0.2 * rng.normal(size=(d, d))) + 0.3).astype(np.float32)
    return a, b


class Features(nn.Identity):
    num_features = 8


@pytest.mark.parametrize("seed", [0, 1])
def test_fid_equals_torchmetrics(seed):
    from torchmetrics.image.fid import FrechetInceptionDistance

    a, b = sets(seed=seed)
    theirs = FrechetInceptionDistance(feature=Features(), normalize=True)
    theirs.update(torch.from_numpy(a), real=True)
    theirs.update(torch.from_numpy(b), real=False)
    assert float(m.fid(a, b)) == pytest.approx(float(theirs.compute()), abs=1e-4)


def test_fid_equals_torchmetrics_with_fewer_rows_than_features():
    from torchmetrics.image.fid import FrechetInceptionDistance

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20, 40))
    extractor = Features()
    extractor.num_features = 40
    theirs = FrechetInceptionDistance(feature=extractor, normalize=True).set_dtype(torch.float64)
    theirs.update(torch.from_numpy(a), real=True)
    theirs.update(torch.from_numpy(b), real=False)
    assert float(m.fid(a, b)) == pytest.approx(float(theirs.compute()), abs=1e-4)


@pytest.mark.parametrize(("subsets", "size"), [(1, 600), (7, 150)])
def test_kid_equals_torchmetrics(subsets, size):
    from torchmetrics.image.kid import KernelInceptionDistance

    a, b = sets()
    theirs = KernelInceptionDistance(feature=Features(), subsets=subsets, subset_size=size, normalize=True)
    theirs.update(torch.from_numpy(a), real=True)
    theirs.update(torch.from_numpy(b), real=False)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        expected = float(theirs.compute()[0])
    assert float(m.kid(a, b, subsets=subsets, subset_size=size, seed=5)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("splits", [1, 4, 10])
def test_inception_score_equals_torchmetrics(splits):
    from torchmetrics.image.inception import InceptionScore

    logits = torch.from_numpy(3 * sets()[0])
    theirs = InceptionScore(feature=nn.Identity(), normalize=True, splits=splits)
    theirs.normalize = False
    theirs.update(logits)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        mean, std = theirs.compute()
    f = m.inception_score(logits.softmax(1), splits=splits, seed=2)
    assert float(f) == pytest.approx(float(mean), abs=1e-4)
    if splits > 1:
        assert f.se * np.sqrt(splits) == pytest.approx(float(std), abs=1e-4)


def test_frechet_closed_forms():
    rng = np.random.default_rng(0)
    s, t, mu = rng.uniform(0.2, 3, 5), rng.uniform(0.2, 3, 5), rng.normal(size=5)
    q = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    expected = mu @ mu + ((s - t) ** 2).sum()
    value = m.frechet_distance(np.zeros(5), q * s**2 @ q.T, mu, q * t**2 @ q.T)
    assert value == pytest.approx(expected, abs=1e-10)
    flat = m.frechet_distance(np.zeros(2), np.diag([1.0, 0.0]), np.zeros(2), np.diag([0.0, 4.0]))
    assert flat == pytest.approx(5.0)


def test_streamed_and_merged_moments_equal_one_pass():
    a, b = sets()
    whole = m.Moments().update(b)
    parts = [m.Moments() for _ in range(3)]
    for i, row in enumerate(np.array_split(b, 11)):
        parts[i % 3].update(torch.from_numpy(row))
    merged = parts[0].merge(parts[1]).merge(m.Moments()).merge(m.Moments.from_state(parts[2].state()))
    np.testing.assert_allclose(merged.cov, np.cov(b.T.astype(np.float64)), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(merged.cov, whole.cov, rtol=1e-10, atol=1e-12)
    assert merged.n == 700
    assert float(m.fid(a, merged)) == pytest.approx(float(m.fid(a, b)), abs=1e-10)
    far = b.astype(np.float64) + 1e6
    streamed = m.Moments().update(far[:300]).update(far[300:])
    np.testing.assert_allclose(streamed.cov, whole.cov, atol=1e-6)


def test_one_rank_is_all_ranks():
    a, _ = sets()
    alone = m.Moments().update(a)
    both = alone.over_ranks()
    assert both is not alone and both.n == alone.n and (both.cov == alone.cov).all()


def test_streamed_class_moments_equal_one_pass():
    p = torch.from_numpy(3 * sets()[0]).softmax(1).numpy()
    one = m.inception_score(p, splits=1)
    parts = m.ClassMoments().update(p[:100]).merge(m.ClassMoments().update(p[100:250]).update(p[250:]))
    both = m.inception_score(parts)
    assert (both.value, both.se) == (pytest.approx(one.value, abs=1e-10), pytest.approx(one.se, abs=1e-10))
    assert float(m.mode_score(parts, p)) == pytest.approx(float(m.mode_score(p, p)), abs=1e-10)


def test_mode_score_brute_force():
    rng = np.random.default_rng(0)
    p, r = rng.dirichlet(np.ones(4) * 0.5, 30), rng.dirichlet(np.ones(4), 50)
    p[0] = [1, 0, 0, 0]
    marginal, real = p.mean(0), r.mean(0)
    inner = np.mean(
        [sum(v * np.log(v / g) for v, g in zip(row, marginal, strict=True) if v > 0) for row in p]
    )
    expected = np.exp(inner - sum(g * np.log(g / q) for g, q in zip(marginal, real, strict=True)))
    assert float(m.mode_score(p, r)) == pytest.approx(expected)
    assert float(m.mode_score(p, marginal)) == pytest.approx(float(m.inception_score(p, splits=1)))
    assert float(m.mode_score(p, r)) < float(m.inception_score(p, splits=1))


def repeat(measure, times=60):
    figures = [measure(np.random.default_rng(s)) for s in range(times)]
    return np.array([f.value for f in figures]), np.array([f.se for f in figures])


def test_fid_error_matches_repetition():
    scale = np.array([1.0, 2.0, 0.5])
    values, errors = repeat(lambda g: m.fid(g.normal(size=(800, 3)), 0.5 + g.normal(size=(800, 3)) * scale))
    assert errors.mean() == pytest.approx(values.std(), rel=0.25)


def test_kid_error_matches_repetition():
    def measure(g):
        return m.kid(g.normal(size=(400, 3)), 0.5 + g.normal(size=(400, 3)), subsets=4, subset_size=200)

    values, errors = repeat(measure)
    assert errors.mean() == pytest.approx(values.std(), rel=0.4)


def test_inception_and_mode_score_errors_match_repetition():
    def draw(g, n=300):
        return torch.from_numpy(g.normal(size=(n, 4)) * 2).softmax(1)

    for measure in (
        lambda g: m.inception_score(draw(g), splits=1),
        lambda g: m.mode_score(draw(g), draw(g, 200)),
        lambda g: m.mode_score(draw(g), np.array([0.4, 0.3, 0.2, 0.1])),
    ):
        values, errors = repeat(measure)
        assert errors.mean() == pytest.approx(values.std(), rel=0.35)


def test_unbiased_fid_removes_the_bias():
    d, n, truth = 16, 640, 0.25 * 16
    plain, infinite, errors = [], [], []
    for s in range(30):
        fake = np.random.default_rng(s).normal(size=(n, d)) + 0.5
        exact = (np.zeros(d), np.eye(d))
        plain.append(float(m.fid(exact, fake)) - truth)
        f = m.fid_unbiased(exact, fake, seed=s)
        infinite.append(float(f) - truth)
        errors.append(f.se)
    assert np.mean(plain) > 0.15
    assert abs(np.mean(infinite)) < np.mean(plain) / 4
    assert np.mean(errors) == pytest.approx(np.std(infinite), rel=0.4)


def test_unbiased_fid_of_both_sets():
    figures = []
    for s in range(12):
        a, b = np.random.default_rng(s).normal(size=(2, 800, 16))
        measured = m.fid(a, b), m.fid_unbiased(a, b), m.fid_unbiased(a, b, extrapolate="both")
        figures.append([f.value for f in measured])
    plain, one, both = np.mean(figures, 0)
    assert one < 0.6 * plain and abs(both) < 0.2 * plain


def test_kid_is_unbiased_and_seeded():
    values, _ = repeat(
        lambda g: m.kid(g.normal(size=(120, 4)), g.normal(size=(120, 4)), subsets=2, subset_size=60)
    )
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    a, b = sets()
    assert m.kid(a, b, subsets=3, subset_size=50, seed=1) == m.kid(a, b, subsets=3, subset_size=50, seed=1)


def test_inception_score_extremes():
    assert float(m.inception_score(np.eye(5).repeat(8, 0), splits=1)) == pytest.approx(5)
    assert float(m.inception_score(np.full((40, 5), 0.2))) == pytest.approx(1)
