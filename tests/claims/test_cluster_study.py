"""The judgement of the cluster study's claims, on made results, and the data that they thin out."""

from __future__ import annotations

import numpy as np
import pytest

from tacit.claims import Result, cluster_study


def facts(acc: float, *candidates: float) -> dict:
    return {"labels, not used": {"ACC": acc}, "candidates": [{"labels, not used": {"ACC": c}} for c in candidates]}


def test_the_loss_is_to_the_best_candidate_and_never_below_nothing():
    assert cluster_study.loss(facts(0.90, 0.95, 0.92)) == pytest.approx(0.05)
    assert cluster_study.loss(facts(0.97, 0.95)) == 0.0


def test_what_the_verdicts_ask():
    good = {cluster_study.LOSS: 0.02, cluster_study.NUMBER: 1.0, "mnist processor minutes": 9.0}
    assert cluster_study.near(Result({0: 0.02}, good))
    assert not cluster_study.near(Result({0: 0.02}, good | {cluster_study.LOSS: 0.031}))
    assert not cluster_study.near(Result({0: 0.02}, good | {cluster_study.NUMBER: 2.0}))
    assert cluster_study.high(Result({0: 0.975, 1: 0.97}, good))
    assert not cluster_study.high(Result({0: 0.985, 1: 0.96}, good))
    assert not cluster_study.high(Result({0: 0.965, 1: 0.966}, good))
    assert not cluster_study.high(Result({0: 0.975}, good | {"mnist processor minutes": 11.0}))


def test_half_of_the_classes_keep_one_row_in_ten():
    x, y = cluster_study.thinned("digits", 0)
    counts = np.sort(np.bincount(y))
    assert len(x) == len(y) and (counts[:5] < 25).all() and (counts[5:] > 150).all()
    x, y = cluster_study.blobs(0, 40)
    assert np.bincount(y).tolist() == [400, 40, 400, 40] and x.shape == (880, 5)
    centres = np.stack([x[y == c].mean(0) for c in range(4)])
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)[np.triu_indices(4, 1)]
    assert apart.min() > 5
