"""Strips of a training, and refusals before it: neither leaves a trace in the fit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import tacit
from support import make_pictures, make_vectors
from tacit.callbacks import Snapshots, snapshots
from tacit.engine import check

NORMED = tacit.networks.DCGAN(width=4, norm="batch", critic_norm="batch")
OPTIONS = {"steps": 8, "batch_size": 8, "precision": "float32", "log_every": 1, "seed": 3}


def system() -> tacit.System:
    return tacit.GAN(prior=tacit.Gaussian(4), networks=NORMED, penalty=tacit.SpectralNormalisation(), critic_steps=2)


def state(model: tacit.Model) -> dict[str, torch.Tensor]:
    return model.nets.state()


def test_the_fit_is_the_same_with_and_without(tmp_path: Path):
    x = make_pictures(32, side=8)
    strip = Snapshots(tmp_path, at=(8, 3, 5), rows=5, measure=lambda model: {"mean": float(model.sample(4).mean())})
    plain, watched = tacit.fit(system(), x, **OPTIONS), tacit.fit(system(), x, callbacks=[strip], **OPTIONS)
    assert all(torch.equal(v, state(watched)[k]) for k, v in state(plain).items())
    found = snapshots(tmp_path)
    assert [s["step"] for s in found] == [3, 5, 8] and found[0]["rows"].shape == (5, 1, 8, 8)
    np.testing.assert_array_equal(found[-1]["rows"], watched.sample(5, seed=0, raw=False))
    assert found[-1]["measures"] == {"mean": pytest.approx(float(watched.sample(4).mean()))}
    assert not np.array_equal(found[0]["rows"], found[1]["rows"]) and snapshots(tmp_path / "none") == []
    assert strip.spent_s > 0


def test_lines_of_the_log_decide_and_none_is_taken_twice(tmp_path: Path):
    strip = Snapshots(tmp_path, at=(1, 2, 3, 9))
    tacit.fit(tacit.GAN(prior=tacit.Gaussian(2)), make_vectors(24), callbacks=[strip], **OPTIONS | {"log_every": 4, "steps": 12})
    assert [s["step"] for s in snapshots(tmp_path)] == [4, 12]


def test_a_resumed_fit_has_the_strip_of_the_whole_one(tmp_path: Path):
    class Stop(Exception):
        pass

    def halt(reading: dict) -> None:
        if reading["step"] >= 5:
            raise Stop

    x = make_pictures(32, side=8)
    whole, cut = Snapshots(tmp_path / "whole", at=(2, 4, 7)), tmp_path / "cut"
    tacit.fit(system(), x, callbacks=[whole], **OPTIONS)
    with pytest.raises(Stop):
        tacit.fit(
            system(), x, run=tmp_path / "run", callbacks=[Snapshots(cut, at=(2, 4, 7)), halt], checkpoint_every="3", **OPTIONS
        )
    tacit.resume(tmp_path / "run", x, callbacks=[Snapshots(cut, at=(2, 4, 7))])
    one, two = snapshots(tmp_path / "whole"), snapshots(cut)
    assert [s["step"] for s in two] == [2, 4, 7]
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a["rows"], b["rows"])


def test_meaningless_strips_are_refused(tmp_path: Path):
    for bad in ({"at": (0,)}, {"at": (1,), "rows": 0}, {"at": (1.5,)}):
        with pytest.raises(tacit.InputError, match="expected whole numbers of 1 or more"):
            Snapshots(tmp_path, **bad)
    with pytest.raises(tacit.NotSupported, match="cannot sample"):
        tacit.fit(tacit.Autoencoder(latent_dim=2), make_vectors(24), callbacks=[Snapshots(tmp_path, at=(1,))], **OPTIONS)


def test_check_refuses_what_fit_refuses_and_does_nothing_else(tmp_path: Path):
    x = make_vectors(24)
    good = tacit.GAN(prior=tacit.Gaussian(2))
    before = torch.get_rng_state()
    assert check(good, x, steps=1000, batch_size=8) is None
    assert torch.equal(before, torch.get_rng_state())
    for bad, options in (
        (dataclasses.replace(good, pack=3), {"batch_size": 8}), (tacit.GAN(networks=tacit.networks.DCGAN()), {}), (good, {"stepz": 3}),
        (good, {"accumulate": 7, "batch_size": 8}), (tacit.KMeans(n_clusters=30), {}),
    ):  # fmt: skip
        with pytest.raises(tacit.InputError) as one:
            check(bad, x, **options)
        with pytest.raises(tacit.InputError) as two:
            tacit.fit(bad, x, run=tmp_path / "run", **options)
        assert str(one.value) == str(two.value) and not (tmp_path / "run").exists()
    with pytest.raises(tacit.InputError, match="expected a system"):
        check(3, x)  # type: ignore[arg-type]


def test_check_stops_before_a_phase_that_must_be_entered():
    from contract_table import CASES

    case = CASES["spectralnet"]
    entered = []
    phases = case.make().phases()
    made = case.make()
    assert any(p.enter for p in phases)
    object.__setattr__(made, "phases", lambda: (*[p for p in phases if not p.enter], *[_spy(p, entered) for p in phases if p.enter]))
    check(made, case.data(), **case.run)
    assert entered == []


def _spy(phase: tacit.Phase, entered: list[str]) -> tacit.Phase:
    phase.enter = lambda n, world: entered.append(phase.name)
    return phase
