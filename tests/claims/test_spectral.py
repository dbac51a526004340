"""The quick parts of the claims on spectral clustering."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tacit import claims
from tacit.claims import spectral_lecture, spectralnet_grassmann
from tacit.uses.cuts import ratio_cut


def test_the_lecture_holds(tmp_path):
    outcome = claims.reproduce(claims.get("spectral-lecture"), seeds=(0,), out=tmp_path)
    assert outcome["verdict"] == "holds", outcome["figures"]
    assert 0.5 < outcome["figures"]["sign cut"] < 0.85 < outcome["mean"], "the sign alone is not enough"
    assert outcome["figures"]["minimum cut"] < 0.9 and outcome["figures"]["minimum cut parts one node"] > 0.3
    page = (tmp_path / "runs" / "spectral-lecture" / "moons-circles-0.svg").read_text()
    assert page.count("<circle") == 8000 and len(re.findall(r"moons, |circles, ", page)) == 8


def test_the_best_ratio_cut_is_the_least_of_all():
    for seed, (_, w) in zip(range(2), spectral_lecture.graphs(3), strict=False):
        rng = np.random.default_rng(seed)
        tried = [ratio_cut(w, p) for p in rng.integers(2, size=(300, len(w))) if 0 < p.sum() < len(w)]
        assert 0 < spectral_lecture.best_ratio(w) <= min(tried)
    path = np.diag([3.0, 1.0, 3.0, 3.0], 1)
    assert spectral_lecture.best_ratio(path + path.T) == pytest.approx(1 / 2 + 1 / 3)


def test_the_map_finds_both_circles_and_places_unseen_points():
    """The normalised Laplacian's first two eigenvectors; fewer updates than the claim makes."""
    found = spectralnet_grassmann.one("circles", "normalised", seed=1, steps=400)
    assert found["Grassmann"] <= 0.1 and found["largest sine"] ** 2 <= found["Grassmann"] + 1e-12
    assert found["ACC"] >= 0.99 and found["ACC on unseen rows"] >= 0.99
    assert found["third eigenvalue"] > 10 * found["second eigenvalue"], "the span is well defined"


def test_nested_cs_are_two_half_circles():
    source = spectralnet_grassmann.nested_cs(2000, 0, noise=0.0)
    x, y = source.read(0, 2000), np.asarray(source.labels)
    first, second = x[y == 0], [0.5, -1.0] - x[y == 1]
    for c in (first, second):
        np.testing.assert_allclose(np.linalg.norm(c, axis=1), 1, atol=1e-6)
        assert c[:, 0].min() >= -1e-6 and np.ptp(c[:, 1]) > 1.95
