"""Fitting from the command line: options reach the system, the run can be repeated and continued."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import tacit as library
from tacit.core.part import get, names, to_json
from tacit.engine.options import Options

QUICK = ("--device", "cpu", "--precision", "float32", "--no-report")


def tuned(default: Any, cls: type) -> Any:
    """The system's own part where it is of that class, else the class's defaults."""
    return default if type(default) is cls else cls()


def config(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())


def test_fit_reaches_every_kind_of_option(tacit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = tacit(
        "fit", "Cluster-GAN", "digits", "-o", "run", "--n_clusters", 7, "--objective", "Wasserstein",
        "--penalty", "gradient_penalty", "--penalty.weight", 5, "--penalty.one-sided", "--networks=MLP",
        "--networks.widths", "24,12", "--rule.betas", "0.1,0.9", "--rule.lr=3e-4", "--beta-n", "2.5", "--steps", 3,
        "--batch-size", 32, "--seed", 4, "--ema", "0.9", "--log-every", 1, *QUICK,
    )  # fmt: skip
    assert answer.code == 0, answer
    default = library.ClusterGAN()
    wanted = replace(
        default, n_clusters=7, objective=library.Wasserstein(), beta_n=2.5,
        penalty=replace(tuned(default.penalty, library.GradientPenalty), weight=5.0, one_sided=True),
        networks=replace(tuned(default.networks, library.MLP), widths=(24, 12)),
        rule=replace(tuned(default.rule, library.Adam), lr=3e-4, betas=(0.1, 0.9)),
    )  # fmt: skip
    c = config(tmp_path / "run")
    assert c["system"] == json.loads(json.dumps(to_json(wanted)))
    assert (c["options"]["steps"], c["options"]["batch_size"], c["options"]["seed"], c["options"]["ema"]) == (3, 32, 4, 0.9)
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 3
    assert answer.out == ""
    assert "3 steps in" in answer.err and "the run is in run" in answer.err
    assert "next: tacit report run, or: tacit cluster run DATA -o labels.csv" in answer.err


def test_a_dotted_option_keeps_the_default_parts_other_values(tacit: Callable, tmp_path: Path) -> None:
    words = ("--networks", "dcgan", "--networks.width", 4, "--rule.lr", "1e-5", "--steps", 1)
    assert tacit("fit", "dcgan", "digits", "-o", tmp_path / "r", *words, *QUICK).code == 0
    default, found = library.DCGAN(), library.load(tmp_path / "r").system
    assert default.networks.critic_norm != type(default.networks)().critic_norm
    assert found == replace(default, networks=replace(default.networks, width=4), rule=replace(default.rule, lr=1e-5))


def test_config_round_trip_gives_the_same_weights(tacit: Callable, tmp_path: Path) -> None:
    first = (
        "fit",
        "vae",
        "digits",
        "-o",
        tmp_path / "a",
        "--latent-dim",
        2,
        "--networks.widths",
        "16",
        "--steps",
        5,
        "--seed",
        3,
        *QUICK,
    )
    assert tacit(*first).code == 0
    assert tacit("fit", "--config", tmp_path / "a" / "config.json", "-o", tmp_path / "b", "--no-report").code == 0
    one, two = (load_file(tmp_path / f / "weights.safetensors") for f in "ab")
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[k], two[k]) for k in one)
    assert (
        tacit(
            "fit", "vae", "moons", "--config", tmp_path / "a", "-o", tmp_path / "c", "--beta", 4, "--steps", 2, "--no-report"
        ).code
        == 0
    )
    c = config(tmp_path / "c")
    assert c["system"]["options"]["beta"] == 4 and c["system"]["options"]["latent_dim"] == 2
    assert c["options"]["steps"] == 2 and c["options"]["seed"] == 3 and c["data"]["name"] == "moons"


def test_from_continues_weights_and_scaling(tacit: Callable, shop: Path, tmp_path: Path) -> None:
    assert (
        tacit("fit", "--from", shop / "ae", "digits", "-o", tmp_path / "more", "--steps", 1, "--rule.lr", "1e-9", *QUICK).code == 0
    )
    old, new = library.load(shop / "ae"), library.load(tmp_path / "more")
    assert new.system.rule.lr == 1e-9
    assert np.allclose(old.encode("digits"), new.encode("digits"), atol=1e-4)


def test_row_weights_by_column(tacit: Callable, shop: Path, tmp_path: Path) -> None:
    words = ("--id", "name", "--weights", "w", "-o", tmp_path / "w", "--networks.widths", "8", "--steps", 3, *QUICK)
    assert tacit("fit", "autoencoder", shop / "weighted.csv", *words).code == 0
    c = config(tmp_path / "w")
    assert c["data"]["load"]["columns"] == ["a", "b", "c"] and c["data"]["source"] == str(shop / "weighted.csv")


def test_shape_and_default_folder(tacit: Callable, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for k in ("", "-2"):
        assert (
            tacit(
                "fit",
                "autoencoder",
                shop / "flat.npy",
                "--shape",
                "8x8",
                "--networks",
                "dcgan",
                "--networks.width",
                2,
                "--steps",
                1,
                *QUICK,
            ).code
            == 0
        )
        assert config(tmp_path / "runs" / f"autoencoder-flat{k}")["data"]["shape"] == [1, 8, 8]
    assert library.load(tmp_path / "runs" / "autoencoder-flat").spec.shape == (1, 8, 8)


def test_early_stopping_ends_the_run_and_says_so(tacit: Callable, tmp_path: Path) -> None:
    words = (
        "--patience",
        4,
        "--watch",
        "autoencoder/loss",
        "--min-delta",
        1e6,
        "--log-every",
        2,
        "--steps",
        500,
        "--networks.widths",
        "8",
    )
    answer = tacit("fit", "autoencoder", "digits", "-o", tmp_path / "r", *words, *QUICK)
    assert answer.code == 0 and "stopped early" in answer.err
    assert library.load(tmp_path / "r").info["steps"] == 6


def test_an_unknown_term_is_explained(tacit: Callable, tmp_path: Path) -> None:
    words = ("--patience", 4, "--watch", "autoencoder/reconstructoin", "--steps", 4, "--networks.widths", "8")
    answer = tacit("fit", "autoencoder", "digits", "-o", tmp_path / "r", *words, *QUICK)
    assert answer.code == 2 and "did you mean 'autoencoder/reconstruction'" in answer.err


def test_overwrite_and_quiet(tacit: Callable, tmp_path: Path) -> None:
    words = ("fit", "autoencoder", "moons", "-o", tmp_path / "r", "--networks.widths", "8", "--steps", 2, *QUICK)
    assert tacit(*words).code == 0
    assert tacit(*words).code == 2
    answer = tacit(*words, "--overwrite", "-q")
    assert answer == (0, "", "")


def test_divergence_is_exit_code_3(tacit: Callable, tmp_path: Path) -> None:
    words = ("--rule", "sgd", "--rule.lr", "1e30", "--networks.widths", "8", "--steps", 200, "--log-every", 5)
    answer = tacit("fit", "autoencoder", "moons", "-o", tmp_path / "r", *words, *QUICK)
    assert answer.code == 3
    assert len(answer.err.strip().splitlines()) == 1 and "NaN or infinite" in answer.err


@pytest.mark.parametrize("name", names("system"))
def test_every_system_has_help(name: str, tacit: Callable) -> None:
    answer = tacit("fit", name, "--help")
    assert answer.code == 0 and answer.err == ""
    cls = get("system", name)
    for field in fields(cls):
        # A switch that is on by default is shown by the spelling that turns it off.
        no = "no-" if field.default is True else ""
        assert f"--{no}{field.name.replace('_', '-')}" in answer.out
    for option in ("--steps", "--checkpoint-every", "--label", "--config", "INT", "default"):
        assert option in answer.out
    others = {f.name for f in fields(Options)} | set(inspect.signature(library.data.load).parameters)
    assert not others & {f.name for f in fields(cls)}, "an option of the system hides one of the run's or of the data's"


def test_help_follows_the_parts_given(tacit: Callable) -> None:
    default, given = (
        tacit("fit", "clustergan", "--help").out,
        tacit("fit", "clustergan", "--penalty", "weight-clipping", "--help").out,
    )
    assert "--penalty.on" in default and "--penalty.on" not in given
    assert "--penalty.c " in given and "--penalty weight-clipping" in given


@pytest.mark.parametrize(
    "command",
    [
        "systems", "fit", "resume", "sample", "encode", "cluster", "invert", "interpolate", "evaluate", "features", "report", "reproduce",
        "cite",
    ],
)
def test_every_command_has_help(command: str, tacit: Callable) -> None:
    answer = tacit(command, "--help")
    assert answer.code == 0 and f"Usage: tacit {command}" in answer.out and answer.err == ""


def test_the_program_itself(tacit: Callable) -> None:
    assert tacit("--version").out.strip() == f"tacit {library.__version__}"
    for words in ((), ("--help",), ("-h",)):
        answer = tacit(*words)
        assert answer.code == 0 and "clustergan digits" in answer.out and "cluster" in answer.out
