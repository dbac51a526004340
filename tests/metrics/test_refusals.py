"""Input that cannot be measured gets one sentence: what was got, what was expected, what to do."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest
import torch

import tacit.metrics
from tacit import metrics as m
from tacit.errors import InputError

G = np.random.default_rng(0)
X = G.normal(size=(60, 3))
Y = G.normal(size=(50, 3))
P = np.full((20, 4), 0.25)
IMAGES = G.random((4, 1, 8, 8))
LABELS = np.arange(60) % 3
NAN = X.copy()
NAN[3, 1] = np.nan

CASES = {
    "labels of other length": lambda: m.accuracy([0, 1], [0, 1, 1]),
    "labels in two columns": lambda: m.nmi(np.zeros((4, 2)), [0, 1, 1, 0]),
    "labels with fractions": lambda: m.ari([0.5, 1.0], [0, 1]),
    "labels with nan": lambda: m.purity([np.nan, 1.0], [0, 1]),
    "no labels": lambda: m.accuracy([], []),
    "all unknown": lambda: m.accuracy([-1, -1], [0, 1]),
    "negative bootstrap": lambda: m.accuracy([0, 1], [0, 1], bootstrap=-1),
    "silhouette of one cluster": lambda: m.silhouette(X, np.zeros(60, int)),
    "silhouette lengths": lambda: m.silhouette(X, LABELS[:5]),
    "stability of one": lambda: m.stability([LABELS]),
    "fid widths": lambda: m.fid(X, Y[:, :2]),
    "fid nan": lambda: m.fid(NAN, Y),
    "fid infinite": lambda: m.fid(X, np.full((50, 3), np.inf)),
    "fid one row": lambda: m.fid(X[:1], Y),
    "fid empty": lambda: m.fid(X[:0], Y),
    "fid words": lambda: m.fid([["a"]], Y),
    "fid moments of one row": lambda: m.fid(m.Moments().update(X[:1]), Y),
    "fid no rows": lambda: m.fid(X, m.Moments()),
    "fid bad exact": lambda: m.fid((np.zeros(3), np.eye(2)), Y),
    "moments of other width": lambda: m.Moments().update(X).update(X[:, :2]),
    "fid_inf too few": lambda: m.fid_unbiased(X, Y[:11]),
    "fid_inf side": lambda: m.fid_unbiased(X, Y, extrapolate="fakes"),
    "fid_inf both of moments": lambda: m.fid_unbiased(m.Moments().update(X), Y, extrapolate="both"),
    "kid too few": lambda: m.kid(X, Y, subset_size=55),
    "kid widths": lambda: m.kid(X, Y[:, :1], subset_size=5),
    "kid seed": lambda: m.kid(X, Y, subset_size=5, seed=-1),
    "scores of logits": lambda: m.inception_score(X),
    "scores of one row": lambda: m.inception_score(P[0]),
    "more splits than rows": lambda: m.inception_score(P, splits=21),
    "mode score classes": lambda: m.mode_score(P, np.full(3, 1 / 3)),
    "mode score impossible": lambda: m.mode_score(P, [1.0, 0, 0, 0]),
    "prdc too few": lambda: m.prdc(X, Y[:5]),
    "prdc k": lambda: m.prdc(X, Y, k=0),
    "prdc nan": lambda: m.prdc(torch.tensor(NAN), Y),
    "modes too few": lambda: m.modes(X, Y, 0.1),
    "modes widths": lambda: m.modes(X, Y[:, :2], 0.1, count=None),
    "modes sd": lambda: m.modes(X, Y, 0.0, count=None),
    "modes weights": lambda: m.modes(X, Y, 0.1, count=None, weights=[1, 2]),
    "label modes beyond": lambda: m.label_modes([0, 7], 3),
    "stacked grey": lambda: m.stacked_modes(IMAGES, lambda p: np.zeros(len(p), int), count=None),
    "stacked too few": lambda: m.stacked_modes(np.zeros((5, 3, 4, 4)), lambda p: np.zeros(len(p), int)),
    "stacked words": lambda: m.stacked_modes(
        np.zeros((5, 3, 4, 4)), lambda p: np.full(len(p), 12), count=None
    ),
    "missing threshold": lambda: m.missing_modes(X, Y, threshold=0.5),
    "missing widths": lambda: m.missing_modes(X, Y[:, :2]),
    "missing noise": lambda: m.missing_modes(X, Y, noise=-1.0),
    "missing too few": lambda: m.missing_modes(X, Y[:5]),
    "psnr shapes": lambda: m.psnr(IMAGES, IMAGES[:2]),
    "psnr range": lambda: m.psnr(IMAGES, IMAGES * 0.9, data_range=0),
    "ssim tiny": lambda: m.ssim(IMAGES[..., :2, :2], IMAGES[..., :2, :2]),
    "ssim vectors": lambda: m.ssim(X, X),
    "sharpness vectors": lambda: m.sharpness(X),
    "epe components": lambda: m.epe(IMAGES, IMAGES),
    "epe without pixels": lambda: m.epe(IMAGES.repeat(2, 1), IMAGES.repeat(2, 1), valid=np.zeros((4, 8, 8))),
    "probe of one class": lambda: m.linear_probe(X, np.zeros(60, int), Y, np.zeros(50, int)),
    "probe labels": lambda: m.nearest_neighbour(X, LABELS[:9], Y, LABELS[:50]),
    "parzen without bandwidth": lambda: m.parzen(X, Y),
    "parzen bandwidth": lambda: m.parzen(X, Y, bandwidth=-1.0),
    "unknown divergence": lambda: m.f_divergence("klr", X, Y),
    "divergence of few": lambda: m.f_divergence("kl", X[:5], Y),
    "density off": lambda: m.divergence_1d("kl", lambda x: 0 * x, lambda x: 0 * x, 0, 2),
    "empty range": lambda: m.divergence_1d("kl", lambda x: 0 * x, lambda x: 0 * x, 1, 1),
    "mmd widths": lambda: m.mmd(X, Y[:, :2]),
    "mmd bandwidth": lambda: m.mmd(X, Y, bandwidths=[0.0]),
    "mmd no bandwidth": lambda: m.mmd(X, Y, bandwidths=[]),
    "mmd one row": lambda: m.mmd(X, Y[:1]),
    "w1 sizes": lambda: m.wasserstein1(X, Y),
    "w1 too many": lambda: m.wasserstein1(X, X, most=10),
    "test statistic": lambda: m.two_sample_test(X, Y, statistic="t"),
    "test too many": lambda: m.two_sample_test(X, Y, most=100),
    "c2st few": lambda: m.classifier_test(X[:5], Y),
    "memorisation widths": lambda: m.memorisation_test(X, Y, Y[:, :2]),
    "classifier one class": lambda: m.train_classifier(X, np.zeros(60, int)),
    "classifier lengths": lambda: m.train_classifier(X, LABELS[:9]),
    "classifier nan": lambda: m.train_classifier(NAN, LABELS),
    "classifier words": lambda: m.train_classifier(X, LABELS.astype(str)),
    "classifier volumes": lambda: m.train_classifier(X[:, :, None], LABELS),
    "classifier share": lambda: m.train_classifier(X, LABELS, held_out=1.5),
    "extractor shape": lambda: m.extract(m.Classifier((3,), [0, 1]), X[:, :2]),
    "extractor file": lambda: m.extract("nowhere.safetensors", X),
    "extractor rows": lambda: m.extract(lambda b: b.sum(), X),
    "extractor words": lambda: m.extract(m.Classifier((1,), [0, 1]), [["a"]]),
    "extractor scalar": lambda: m.extract(lambda b: b, 3.0),
    "extractor empty": lambda: m.extract(lambda b: b, X[:0]),
}


@pytest.mark.parametrize("name", CASES)
def test_refused_in_one_sentence(name):
    with pytest.raises(InputError) as e:
        CASES[name]()
    message = str(e.value)
    assert "\n" not in message and 20 < len(message) < 200 and message.count(";") >= 1


def test_a_near_word_is_suggested():
    with pytest.raises(InputError, match="did you mean 'reverse-kl'"):
        m.f_divergence("reverse_kl", X, Y)


def test_figures_read_well():
    f = m.Figure(0.5, se=0.01, low=0.48, high=0.52, n=12)
    assert str(f) == "0.5 ± 0.01 [0.48, 0.52] (n=12)" and f"{f:.1f}" == "0.5 ± 0.0 [0.5, 0.5] (n=12)"
    assert float(f) == 0.5 and f.to_json() == {"value": 0.5, "se": 0.01, "low": 0.48, "high": 0.52, "n": 12}
    with pytest.raises(AttributeError):
        f.value = 1.0


@pytest.mark.parametrize("name", [p.name for p in pkgutil.iter_modules(tacit.metrics.__path__)])
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"tacit.metrics.{name}"))
    assert result.failed == 0


def test_public_names_are_documented_and_global_randomness_is_untouched():
    for name in m.__all__:
        assert isinstance(getattr(m, name), dict) or len(getattr(m, name).__doc__) > 40, name
    before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()
    m.accuracy(LABELS, LABELS), m.kid(X, Y, subset_size=20, subsets=2), m.inception_score(P)
    m.two_sample_test(X, Y, permutations=9), m.fid_unbiased(X, Y), m.classifier_test(X, Y)
    assert (before == np.random.get_state()[1]).all() and torch.equal(torch_before, torch.get_rng_state())
