import numpy as np
import pytest
import skimage.metrics as sm
import torch
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from tacit import metrics as m


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    x = gaussian_filter(rng.random((4, 3, 24, 20)), (0, 0, 2, 2))
    x = (x - x.min()) / (x.max() - x.min())
    return x, np.clip(x + 0.1 * rng.normal(size=x.shape), 0, 1)


def test_psnr_equals_scikit_image(pictures):
    x, y = pictures
    each = [sm.peak_signal_noise_ratio(a, b, data_range=1) for a, b in zip(x, y, strict=True)]
    f = m.psnr(x, y)
    assert float(f) == pytest.approx(np.mean(each)) and f.se == pytest.approx(np.std(each, ddof=1) / 2)
    assert float(m.psnr(255 * x, 255 * y, data_range=255)) == pytest.approx(float(f))
    assert float(m.psnr(x, x)) == np.inf


@pytest.mark.parametrize("gaussian", [False, True])
def test_ssim_equals_scikit_image(pictures, gaussian):
    x, y = pictures
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False} if gaussian else {}
    each = [
        sm.structural_similarity(a, b, channel_axis=0, data_range=1, **options)
        for a, b in zip(x, y, strict=True)
    ]
    assert float(m.ssim(torch.tensor(x), y, gaussian=gaussian)) == pytest.approx(np.mean(each))
    assert float(m.ssim(x, x)) == pytest.approx(1)


def test_ssim_of_small_pictures_takes_a_smaller_window(pictures):
    x, y = (p[:, :, :4, :4] for p in pictures)
    each = [
        sm.structural_similarity(a, b, channel_axis=0, data_range=1, win_size=3)
        for a, b in zip(x, y, strict=True)
    ]
    assert float(m.ssim(x, y)) == pytest.approx(np.mean(each))


def test_sharpness_falls_with_blur_and_equals_a_convolution(pictures):
    from scipy.signal import convolve2d

    x, _ = pictures
    blurred = gaussian_filter(x, (0, 0, 2, 2))
    assert float(m.sharpness(blurred)) < 0.5 * float(m.sharpness(x))
    stencil = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
    expected = np.mean([convolve2d(c, stencil, mode="valid").var() for p in x for c in p])
    assert float(m.sharpness(x)) == pytest.approx(expected)
    assert float(m.sharpness_difference(x, x + 0.3)) > 100
    assert float(m.sharpness_difference(x, x)) == np.inf
    slight = m.sharpness_difference(x, gaussian_filter(x, (0, 0, 0.5, 0.5)))
    assert float(slight) > float(m.sharpness_difference(x, blurred))


def test_sharpness_difference_by_hand():
    x, y = np.zeros((1, 1, 2, 2)), np.array([[[[0.0, 0.0], [0.0, 0.5]]]])
    assert float(m.sharpness_difference(x, y)) == pytest.approx(10 * np.log10(1 / 1.0))


def test_iou_equals_scikit_learn():
    from sklearn.metrics import jaccard_score

    rng = np.random.default_rng(0)
    a, b = rng.random((2, 6, 4, 4, 4)) > 0.6
    each = [jaccard_score(p.ravel(), q.ravel()) for p, q in zip(a, b, strict=True)]
    assert float(m.iou(a, b)) == pytest.approx(np.mean(each))
    assert float(m.iou(np.zeros((1, 4)), np.zeros((1, 4)))) == 1.0


def test_epe_by_hand_with_a_mask():
    truth, flow = np.zeros((2, 2, 3, 3)), np.zeros((2, 2, 3, 3))
    flow[0, :, 0, 0] = (6, 8)
    flow[1, 0] = 2
    valid = np.ones((2, 3, 3))
    assert float(m.epe(truth, flow)) == pytest.approx((10 / 9 + 2) / 2)
    valid[0, 0, 0] = 0
    assert float(m.epe(truth, flow, valid=valid)) == pytest.approx(1)


def test_probes_equal_scikit_learn():
    x, y = load_digits(return_X_y=True)
    x, y, xt, yt = x[:500], y[:500], x[1200:], y[1200:]
    scaler = StandardScaler().fit(x)
    lr = LogisticRegression(max_iter=1000).fit(scaler.transform(x), y)
    probe = m.linear_probe(x, y, xt, yt)
    assert float(probe) == pytest.approx(lr.score(scaler.transform(xt), yt))
    assert probe.se == pytest.approx(np.sqrt(probe.value * (1 - probe.value) / 597), rel=0.01)
    nn = KNeighborsClassifier(1).fit(x, y)
    assert float(m.nearest_neighbour(x, y, xt, yt)) == pytest.approx(nn.score(xt, yt))
    marked = y.copy()
    marked[:100] = -1
    assert m.nearest_neighbour(x, marked, xt, yt) == m.nearest_neighbour(x[100:], y[100:], xt, yt)


def test_parzen_equals_scikit_learn_kde():
    rng = np.random.default_rng(0)
    s, v, x = rng.normal(size=(3, 200, 3))
    kde = KernelDensity(bandwidth=0.4).fit(s)
    f = m.parzen(s, x, bandwidth=0.4)
    assert float(f) == pytest.approx(kde.score_samples(x).mean()) and f.n == 200
    chosen = float(m.parzen(s, x, validation=v))
    grid = np.sqrt(s.var(0).sum()) * np.logspace(-2, 0, 20)
    best = max(grid, key=lambda h: KernelDensity(bandwidth=h).fit(s).score(v))
    assert chosen == pytest.approx(KernelDensity(bandwidth=best).fit(s).score_samples(x).mean())
    assert "WARNING" in m.parzen.__doc__
