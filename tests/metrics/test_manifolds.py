import numpy as np
import pytest
import torch

from tacit import metrics as m


@pytest.mark.parametrize(("n", "g", "d", "k"), [(200, 150, 4, 5), (120, 260, 40, 3), (60, 60, 2, 1)])
def test_prdc_equals_the_prdc_package(n, g, d, k, capsys):
    from prdc import compute_prdc

    rng = np.random.default_rng(n)
    real, fake = rng.normal(size=(n, d)), rng.normal(size=(g, d)) * 0.8 + 0.4
    theirs = compute_prdc(real, fake, k)
    ours = m.prdc(real, fake, k=k)
    for name, value in theirs.items():
        assert float(getattr(ours, name)) == pytest.approx(value, abs=1e-12), name


def test_prdc_in_strips_equals_one_pass():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(300, 6)), rng.normal(size=(250, 6)) + 0.5
    assert (
        m.prdc(real, fake, memory_mb=0.02)
        == m.prdc(real, fake)
        == m.prdc(torch.tensor(real), torch.tensor(fake))
    )


def test_prdc_known_cases():
    rng = np.random.default_rng(0)
    modes = rng.normal(size=(600, 2)) + np.repeat([[0, 0], [50, 0], [0, 50]], 200, 0)
    collapsed = m.prdc(modes, rng.normal(size=(300, 2)))
    assert float(collapsed.precision) > 0.9 and float(collapsed.recall) < 0.4
    assert float(collapsed.coverage) == pytest.approx(1 / 3, abs=0.04)
    good = m.prdc(modes, rng.normal(size=(600, 2)) + np.repeat([[0, 0], [50, 0], [0, 50]], 200, 0))
    assert float(good.coverage) > 0.9 and float(good.density) == pytest.approx(1, abs=0.15)
    outlier = m.prdc(modes, np.concatenate([modes + 1e-4, np.full((600, 2), 1e3)]))
    assert float(outlier.precision) == pytest.approx(0.5, abs=0.01)
    assert outlier.precision.se == pytest.approx(np.sqrt(0.25 / 1200), rel=0.01)
    assert "recall" in str(outlier)
