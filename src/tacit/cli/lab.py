"""``tacit lab``: the compositions of the literature on the worlds that it compares them on."""

from __future__ import annotations

from typing import Any

import typer

from tacit.cli import compare, sources
from tacit.cli.spec import Opt
from tacit.errors import InputError

DOC = (
    "Which modes do they find? Fit compositions to a world whose modes are known, and show modes captured, the share of good "
    "samples and the divergence over modes with intervals, strips of samples over each training, and the published figures.\n\n"
    "[bold]tacit lab ring8[/]   [bold]tacit lab grid25 --seeds 3 --steps 100000[/]   "
    "[bold]tacit lab stacked:MNIST --of dcgan --of dcgan:pack=2[/]\n\n"
    "DATA is ring8, grid25 or stacked:PATH of MNIST. Without --of and --list: GAN, PacGAN with packs of 2, 3 and 4, ALI, unrolled GAN "
    "and VEEGAN over the same networks, rates and prior."
)
PAPER = Opt(
    "paper", help="GAN and its packs with the networks and rates of Lin et al. 2018 at a quarter of their widths, as many rows a step for "
    "each; ring8, grid25", panel=compare.RUN, flag=True,
)  # fmt: skip
STEPS = {"ring8": "10000", "grid25": "20000", "stacked": "5000"}


def add(app: typer.Typer, argv: list[str]) -> None:
    """Add ``lab`` with the options that the named systems have."""
    compare.add(app, argv, "lab", lab, DOC, "Which modes do compositions find?", more=[PAPER])


def lab(given: dict[str, Any]) -> int:
    """Run the laboratory on a world."""
    from tacit.comparison.laboratory import compositions, laboratory, packs

    world = sources.place(given["data"])
    kind = world.partition(":")[0]
    if kind not in STEPS:
        raise InputError(f"tacit lab got '{given['data']}'; expected ring8, grid25 or stacked:PATH; use tacit compare for other data")
    paper = bool(given.get("paper"))
    if paper and (kind == "stacked" or given.get("of") or given.get("list")):
        raise InputError("tacit lab got --paper; expected ring8 or grid25, and neither --of nor --list beside it; leave one out")
    systems = packs() if paper else compare.described(given) or compositions(world)
    usual = {"steps": "100000" if paper else STEPS[kind], "batch-size": "120" if kind != "stacked" else "60"}
    return compare.carry({**usual, **given}, systems, lambda named, data, **options: laboratory(data, named, **options), f"lab-{kind}")
