"""A model's folder: what is read, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tacit
from support import make_vectors


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tacit.fit(tacit.VAE(latent_dim=2, networks=tacit.MLP(widths=(8,))), make_vectors(), steps=3, batch_size=8)
    return model.save(tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def copy(folder, tmp_path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


def edit(folder: Path, **changes: Any) -> None:
    card = json.loads((folder / "system.json").read_text())
    (folder / "system.json").write_text(json.dumps({**card, **changes}))


def refused(folder: Path, reason: str) -> None:
    with pytest.raises(tacit.InputError, match=reason) as e:
        tacit.load(folder)
    assert "\n" not in str(e.value)


def test_a_newer_format_is_refused(copy):
    edit(copy, format=tacit.model.FORMAT + 1, tacit="9.9")
    refused(copy, r"has format 2, written by Tacit 9\.9; this Tacit .* reads format 1 or older; upgrade Tacit")


def test_weights_of_another_save_are_refused(copy, tmp_path):
    again = tacit.load(copy).save(tmp_path / "again")
    shutil.copy(again / "weights.safetensors", copy / "weights.safetensors")
    refused(copy, "are of different saves")


def test_weights_that_do_not_fit_the_system_are_refused(copy):
    card = json.loads((copy / "system.json").read_text())
    card["system"]["options"]["latent_dim"] = 3
    edit(copy, system=card["system"])
    refused(copy, "do not fit the system in system.json")


def test_damage_is_refused(copy, tmp_path):
    whole = (copy / "weights.safetensors").read_bytes()
    (copy / "weights.safetensors").write_bytes(whole[:-40])
    refused(copy, "expected a whole safetensors file")
    (copy / "weights.safetensors").unlink()
    refused(copy, "weights.safetensors is missing")
    (copy / "system.json").write_text("{\"format\": 1")
    refused(copy, "cannot be read")
    (copy / "system.json").write_text("[]")
    refused(copy, "is not a saved model")
    (copy / "system.json").unlink()
    refused(copy, "there is no model in")
    refused(tmp_path / "nowhere", "there is no model in")


def test_another_part_than_a_system_is_refused(copy):
    edit(copy, system=tacit.core.to_json(tacit.Hinge()))
    refused(copy, "describes a Hinge; expected a system")


def test_what_is_saved_is_plain(folder):
    assert {p.name for p in folder.iterdir()} == {"system.json", "weights.safetensors", "log.jsonl"}
    card = json.loads((folder / "system.json").read_text())
    assert {"format", "tacit", "stamp", "system", "spec", "info"} <= set(card)
    assert card["info"]["n_rows"] == 48 and card["info"]["steps"] == 3


def test_a_failed_save_keeps_the_old_model(copy, monkeypatch):
    import os

    model = tacit.load(copy)
    want = model.sample(3)
    monkeypatch.setattr(os, "replace", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError):
        model.save(copy)
    monkeypatch.undo()
    np.testing.assert_array_equal(tacit.load(copy).sample(3), want)
    assert not list(copy.glob(".*"))


def test_uses_take_counts_seeds_and_scaled_output(folder):
    model = tacit.load(folder)
    assert model.sample(1100).shape == (1100, 6)
    assert not np.array_equal(model.sample(3, seed=0), model.sample(3, seed=1))
    scaled = model.sample(7, raw=False)
    np.testing.assert_allclose(model.spec.undo(scaled), model.sample(7), rtol=1e-5)
    for bad in (0, -1):
        with pytest.raises(tacit.InputError, match="expected 1 or more"):
            model.sample(bad)
    x = make_vectors(2100, seed=2)
    np.testing.assert_allclose(model.encode(x)[1500:1510], model.encode(x[1500:1510]), rtol=1e-4, atol=1e-6)
    assert "VAE" in repr(model) and "encode" in repr(model)


def test_a_float64_model_is_saved_and_used_in_float64(tmp_path):
    model = tacit.fit(
        tacit.VAE(latent_dim=2, networks=tacit.MLP(widths=(8,))), make_vectors(), steps=3, batch_size=8, precision="float64"
    )
    again = tacit.load(model.save(tmp_path / "m"))
    for use in ("encode", "reconstruct", "score"):
        np.testing.assert_array_equal(getattr(again, use)(make_vectors()), getattr(model, use)(make_vectors()))
    np.testing.assert_array_equal(again.sample(4), model.sample(4))
    assert again.decode(np.zeros((2, 2))).shape == (2, 6)
