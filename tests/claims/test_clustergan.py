"""What the claims about ClusterGAN's priors and decoding set side by side, on runs of seconds."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from PIL import Image

import tacit
from tacit.claims import Context, Result, clustergan_decoding, clustergan_priors
from tacit.cli import main

SMALL = tacit.MLP(widths=(32,), norm="batch")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    base = tmp_path_factory.mktemp("runs")
    for name, prior in (("hot", tacit.OneHotGaussian(10, 4)), ("flat", tacit.Uniform(6))):
        tacit.ClusterGAN(prior=prior, networks=SMALL).fit("digits", steps=50, run=base / name, precision="float32")
    return base


def test_the_four_games_differ_in_the_prior_alone(tmp_path):
    systems = {}
    for name, more in clustergan_priors.PRIORS.items():
        words = [*clustergan_priors.PAPER, *more, "--steps", "1", "--networks.widths", "8", "--no-report", "--quiet"]
        assert main(["fit", "clustergan", "digits", *words, "-o", str(tmp_path / name)]) == 0
        systems[name] = tacit.load(tmp_path / name).system
    ours = systems.pop(clustergan_priors.OURS)
    assert (ours.beta_b, ours.beta_h, ours.beta_s) == (0, 0, 0) and ours.augment == ours.critic_augment == tacit.NoAugmentation()
    for system in systems.values():
        changed = {f.name for f in dataclasses.fields(system) if getattr(system, f.name) != getattr(ours, f.name)}
        assert changed == {"prior"} and system.latents.dim == ours.latents.dim


def test_the_figure_has_a_map_for_each_prior(runs, tmp_path):
    captions = {"hot": "one-hot", "flat": "uniform"}
    out = clustergan_priors.figure({n: runs / n for n in captions}, captions, "digits", {}, tmp_path / "deep" / "f.png", rows=60)
    image = Image.open(out)
    assert image.width > 2 * image.height * 0.7 and len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 10


def test_decoding_is_scored_in_every_way_and_finds_drawn_latents(runs):
    found = clustergan_decoding.decoded(runs / "hot", "digits", {}, 30, 0, Context())
    for name in clustergan_decoding.WAYS:
        assert 0.1 <= found[f"{name} ACC"] <= 1 and 0 < found[f"{name} error"] < found["encoder error"] + 0.02
    assert all(map(math.isfinite, found.values()))
    assert found["modified relative error"] < 0.1 and found["modified rows within .1"] > 0.9


def test_the_claim_about_decoding_needs_both():
    for margin, error, verdict in ((0.1, 0.05, True), (-0.1, 0.05, False), (0.1, 0.2, False)):
        assert clustergan_decoding.holds(Result({0: margin}, {"modified relative error": error})) is verdict
