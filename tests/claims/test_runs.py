"""Fits of a claim, which are commands of their own and are not made twice."""

from __future__ import annotations

import pytest

from tacit.claims import _runs
from tacit.errors import TacitError


def test_a_fit_of_the_same_command_and_code_is_not_made_again(tmp_path, monkeypatch):
    made = []

    def fit(*words):
        made.append(words)
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run" / "weights.safetensors").touch()

    monkeypatch.setattr(_runs, "tacit", fit)
    for words, config, many in ((["fit"], 1, 1), (["fit"], 1, 1), (["fit"], 2, 2), (["fit", "--seed"], 2, 3), (["fit", "--seed"], 2, 3)):
        _runs.once(tmp_path / "run", *words, config=config)
        assert len(made) == many
    monkeypatch.setattr(_runs, "code", lambda: "another")
    _runs.once(tmp_path / "run", "fit", "--seed", config=2)
    assert len(made) == 4
    (tmp_path / "run" / "weights.safetensors").unlink()
    _runs.once(tmp_path / "run", "fit", "--seed", config=2)
    assert len(made) == 5


def test_a_fit_that_failed_is_made_again(tmp_path, monkeypatch):
    def fail(*words):
        raise TacitError("no")

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "weights.safetensors").touch()
    with monkeypatch.context() as m:
        m.setattr(_runs, "tacit", lambda *words: None)
        _runs.once(tmp_path / "run", "fit")
        m.setattr(_runs, "tacit", fail)
        with pytest.raises(TacitError):
            _runs.once(tmp_path / "run", "fit", "--again")
    made = []
    monkeypatch.setattr(_runs, "tacit", lambda *words: made.append(words))
    _runs.once(tmp_path / "run", "fit", "--again")
    assert made == [("fit", "--again")]
