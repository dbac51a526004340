"""The laboratory on the command line: its compositions, its page, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import tacit as library
from tacit.comparison.laboratory import PUBLISHED, compositions
from tacit.core.part import from_json, to_json


def test_the_compositions_differ_in_nothing_but_the_game():
    for world in ("ring8", "stacked:x"):
        made = compositions(world)
        assert len({json.dumps(to_json(s.networks)) for s in made.values()}) == 1
        assert len({json.dumps(to_json(s.critic_rule)) for s in made.values()}) == 1
        assert len({json.dumps(to_json(s)) for s in made.values()}) == len(made)
    assert compositions("grid25")["Unrolled GAN"].rule.steps == 5


@pytest.mark.parametrize("world", ["grid25", "stacked"])
def test_every_published_figure_is_of_a_composition(world):
    named = compositions(f"{world}:x" if world == "stacked" else world)
    for figures in PUBLISHED[world].values():
        assert set(figures) <= set(named)


def test_it_shows_published_figures_beside_ours(tacit: Callable, tmp_path: Path):
    got = tacit(
        "lab", "grid25", "--of", "GAN=gan", "--of", "PacGAN2=gan:pack=2", "--steps", "6", "--seeds", "1", "--jobs", "1", "--snapshots", "2",
        "-o", tmp_path / "lab",
    )  # fmt: skip
    assert got.code == 0, got.err
    page = (tmp_path / "lab" / "compare.html").read_text(encoding="utf-8")
    assert "Beside the literature" in page and "17.3" in page and "23.8" in page and "24.6" not in page


def test_the_packs_of_the_paper_differ_in_their_pack_alone(tacit: Callable, tmp_path: Path):
    words = ("--paper", "--steps", "4", "--batch-size", "12", "--seeds", "1", "--jobs", "1", "--snapshots", "0", "-n", "60")
    got = tacit("lab", "grid25", *words, "-o", tmp_path / "lab")
    assert got.code == 0, got.err
    made = {k: from_json(v) for k, v in json.loads((tmp_path / "lab" / "compare.json").read_text())["compositions"].items()}
    assert {k: v.pack for k, v in made.items()} == {"GAN": 1, "PacGAN2": 2, "PacGAN3": 3, "PacGAN4": 4}
    assert len({replace(v, pack=1) for v in made.values()}) == 1 and isinstance(made["GAN"].networks, library.networks.Maxout)


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("digits",), "ring8, grid25 or stacked:PATH"),
        (("ring8", "--of", "gn"), "did you mean 'gan'"),
        (("ring8", "--of", "gan", "--of", "gan"), "different names"),
        (("grid25", "--paper", "--of", "gan"), "neither --of nor --list"),
        (("stacked:mnist", "--paper"), "ring8 or grid25"),
    ],
)
def test_bad_input_gets_one_sentence(tacit: Callable, tmp_path: Path, args: tuple[str, ...], word: str):
    got = tacit("lab", *args, "-o", tmp_path / "lab")
    assert got.code == 2 and word in got.err and "Traceback" not in got.err and not (tmp_path / "lab").exists()
