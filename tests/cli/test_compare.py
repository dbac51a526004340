"""The command that sets compositions side by side."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import tacit as library
from tacit.cli.compare import build, read

FEW = ("--networks.widths", "8", "--prior.latent-dim", "2", "--steps", 4, "--batch-size", 16, "-n", 60, "--jobs", 1, "--snapshots", 1)


def test_the_command(tacit: Callable, tmp_path: Path) -> None:
    out = tmp_path / "c"
    words = ("compare", "moons", "--of", "gan", "--of", "packed=gan:pack=2,networks.widths=6,7", *FEW, "--seeds", 2, "-o", out)
    answer = tacit(*words)
    assert answer.code == 0, answer.err
    assert "packed" in answer.out and "FID" in answer.out
    assert answer.err.count("seed 1 (") == 2 and answer.err.strip().endswith(f"next: open {out / 'compare.html'}")
    assert sorted(p.name for p in (out / "runs").iterdir()) == ["gan-0", "gan-1", "packed-0", "packed-1"]
    packed = library.load(out / "runs" / "packed-1")
    assert packed.system.pack == 2 and packed.system.networks.widths == (6, 7) and packed.system.prior.latent_dim == 2
    assert packed.info["steps"] == 4 and packed.info["batch_size"] == 16
    again = tacit(*words, "--json")
    assert again.code == 0 and "4 of 4 fits are there already" in again.err
    found = json.loads(again.out)
    assert found == json.loads((out / "compare.json").read_text()) and found["seeds"] == [0, 1]
    assert tacit(*words[:-2], "-o", out, "--steps", 5).code == 2
    assert tacit(*words, "--steps", 5, "--overwrite", "--quiet") == (0, "", "")
    assert library.load(out / "runs" / "gan-0").info["steps"] == 5


def test_a_list_in_a_file(tacit: Callable, tmp_path: Path) -> None:
    system = library.core.to_json(library.GAN(prior=library.Gaussian(2), networks=library.MLP(widths=(4,))))
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps(["gan:networks.widths=4", {"name": "whole", "system": system}, {"name": "w", "system": "wgangp"}]))
    words = ("--steps", 2, "--batch-size", 8, "-n", 50, "--jobs", 1, "--snapshots", 0, "--seeds", 1)
    answer = tacit("compare", "moons", "--list", listed, *words, "-o", tmp_path / "c")
    assert answer.code == 0, answer.err
    assert {p.name for p in (tmp_path / "c" / "runs").iterdir()} == {"gan-networks.widths=4-0", "whole-0", "w-0"}
    assert library.load(tmp_path / "c" / "runs" / "whole-0").system.networks.widths == (4,)
    for bad, message in (([3], "has the entry 3"), ([{"name": "x"}], "'name' and 'system'"), ([{"system": {"part": "x"}}], "expected")):
        listed.write_text(json.dumps(bad))
        refused = tacit("compare", "moons", "--list", listed, *words, "-o", tmp_path / "d")
        assert refused.code == 2 and message in refused.err, refused.err
    assert not (tmp_path / "d").exists()


def test_help_lists_the_options_of_the_named_systems(tacit: Callable) -> None:
    plain, named = tacit("compare", "--help").out, tacit("compare", "--of", "gan:penalty=gradient-penalty", "--help").out
    assert "--of" in plain and "--penalty" not in plain
    assert "--penalty.weight" in named and "--objective" in named and named.count("--kind") == 1


@pytest.mark.parametrize(
    ("text", "name", "system", "options"),
    [
        ("gan", "", "GAN", {}),
        ("a b=gan", "a b", "GAN", {}),
        ("gan:pack=2", "", "GAN", {"pack": "2"}),
        ("x=wgan-gp: critic_steps = 1 , penalty.weight=3", "x", "WGANGP", {"critic-steps": "1", "penalty.weight": "3"}),
        ("gan:networks.widths=64,64,pack=2", "", "GAN", {"networks.widths": "64,64", "pack": "2"}),
        ("gan:objective=tacit.objectives:Hinge,pack=2", "", "GAN", {"objective": "tacit.objectives:Hinge", "pack": "2"}),
        ("tacit.systems:GAN:pack=2", "", "GAN", {"pack": "2"}),
    ],
)
def test_a_composition_is_read(text: str, name: str, system: str, options: dict[str, str]) -> None:
    got, base, own = read(text)
    assert (got, type(base).__name__, own) == (name, system, options)


def test_its_own_options_come_before_those_of_all() -> None:
    name, system = build("gan:objective=hinge,critic-steps=2", {"critic-steps": "5", "networks.widths": "3,4"})
    assert name == "gan objective=hinge critic-steps=2"
    assert system == library.GAN(objective=library.objectives.Hinge(), critic_steps=2, networks=library.MLP(widths=(3, 4)))
