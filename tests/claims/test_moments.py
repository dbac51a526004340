"""Claims about matched moments: the exact ones in their small variants, the judgement of the others on made results."""

from __future__ import annotations

import numpy as np
import pytest

from tacit import claims
from tacit.claims import Result, fisher_constraint, mcgan_moments, mmd_order


def test_mmd_and_its_test_are_exact():
    found = claims.reproduce(claims.get("gmmn-tests"), seeds=(1,), small=True)
    assert found["verdict"] == "holds", found


def test_errors_of_moments_are_free_of_origin_and_unit():
    a = np.random.default_rng(0).normal(size=(500, 3)) * [3.0, 1.0, 0.1] + 5
    same = mcgan_moments.compare(a, a, 2)
    assert same["mean"] == same["covariance"] == 0 and same["cosine of first directions"] == pytest.approx(1)
    for scale, origin in ((1.0, 0.0), (0.01, 7.0)):
        b = a.mean(0) + 2 * (a - a.mean(0)) + [0.3, 0.0, 0.0]
        found = mcgan_moments.compare(scale * a + origin, scale * b + origin, 2)
        assert found["covariance"] == pytest.approx(3.0)
        assert found["mean"] == pytest.approx(0.3 / np.sqrt(np.trace(np.cov(a.T))))
    turned = mcgan_moments.compare(a, a[:, [1, 0, 2]], 1)
    assert turned["cosine of first directions"] < 0.1 and turned["covariance"] > 0.8


def test_what_the_verdicts_ask():
    ratio, gap, noise = fisher_constraint.RATIO, fisher_constraint.GAP, fisher_constraint.NOISE
    good = {ratio: 1.6, gap: 0.5, noise: 1.0}
    assert fisher_constraint.holds(Result({0: 1.04, 1: 0.97}, good))
    assert not fisher_constraint.holds(Result({0: 1.06, 1: 1.0}, good))
    assert not fisher_constraint.holds(Result({0: 1.0}, good | {ratio: 1.4}))
    assert not fisher_constraint.holds(Result({0: 1.0}, good | {gap: 1.5}))
    fids = {"MMD GAN FID": 1.0, "GMMN-C FID": 2.0, "GMMN-D FID": 3.0, mmd_order.CORRELATION: 0.7}
    assert mmd_order.holds(Result({0: 1.0}, fids))
    assert not mmd_order.holds(Result({0: 1.0}, fids | {"GMMN-C FID": 4.0}))
    assert not mmd_order.holds(Result({0: 1.0}, fids | {mmd_order.CORRELATION: 0.4}))
