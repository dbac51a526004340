"""The mode-collapse laboratory: what the literature compares, on the worlds that it compares it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tacit.comparison.run import Comparison, Systems, compare
from tacit.core.game import System
from tacit.errors import InputError
from tacit.files import write_json
from tacit.networks.dcgan import DCGAN as Convolutions
from tacit.networks.maxout import Maxout
from tacit.networks.mlp import MLP
from tacit.priors.gaussian import Gaussian
from tacit.rules.optimisers import Adam
from tacit.rules.unrolled import Unrolled
from tacit.systems.games.gan import DCGAN, GAN
from tacit.systems.games.unrolled import UnrolledGAN
from tacit.systems.inference.ali import ALI
from tacit.systems.inference.veegan import VEEGAN

PUBLISHED: dict[str, dict[str, dict[str, float]]] = {
    "grid25": {
        "modes captured, of 25": {"GAN": 17.3, "PacGAN2": 23.8, "PacGAN3": 24.6, "PacGAN4": 24.8},
    },
    "stacked": {
        "modes captured, of 1000": {
            "DCGAN": 99.0, "ALI": 16.0, "Unrolled GAN": 48.7, "VEEGAN": 150.0, "PacDCGAN2": 1000.0, "PacDCGAN3": 1000.0,
            "PacDCGAN4": 1000.0,
        },
    },
}  # fmt: skip
"""Figures as Lin et al. 2018 (arXiv:1712.04086) and Srivastava et al. 2017 (arXiv:1705.07761) print them: other widths, more updates."""


def compositions(world: str, width: int = 16) -> dict[str, System]:
    """The compositions of a world by the names of the literature, all over the same networks, rates and prior.

    Args:
        world: ring8, grid25 or stacked:PATH.
        width: channels next to the picture, for stacked digits; the papers have 64.

    Raises:
        InputError: another world.

    >>> list(compositions("grid25"))
    ['GAN', 'PacGAN2', 'PacGAN3', 'PacGAN4', 'ALI', 'Unrolled GAN', 'VEEGAN']
    """
    kind = world.partition(":")[0]
    if kind in ("ring8", "grid25"):
        rate = Adam(1e-3, (0.8, 0.999))
        same: dict[str, Any] = {"prior": Gaussian(2), "networks": MLP(widths=(128, 128)), "rule": rate, "critic_rule": rate}
        plain, name = GAN(**same), "GAN"
    elif kind == "stacked":
        rate = Adam(2e-4, (0.5, 0.999))
        same = {"prior": Gaussian(100), "networks": Convolutions(width=width), "rule": rate, "critic_rule": rate}
        plain, name = DCGAN(**same), "DCGAN"
    else:
        raise InputError(f"the laboratory got '{world}'; expected ring8, grid25 or stacked:PATH of MNIST; choose one")
    return {
        name: plain, **{f"Pac{name}{m}": replace(plain, pack=m) for m in (2, 3, 4)}, "ALI": ALI(**same),
        "Unrolled GAN": UnrolledGAN(**{**same, "rule": Unrolled(rate, steps=5, ahead=rate)}), "VEEGAN": VEEGAN(**same),
    }  # fmt: skip


def packs(width: int = 100, critic_width: int = 50) -> dict[str, GAN]:
    """GAN and its packs of 2 to 4 with the networks and rates that Lin et al. 2018 (arXiv:1712.04086) have for points of the plane.

    G has four hidden layers of ``width`` with batch normalisation, D three of ``critic_width`` maxout units with 5 pieces; weights
    start with deviation .02; both move at once, by Adam at 1e-4 with β₁ = .8. The authors take 100 packs a step:
    more rows for larger packs.

    Args:
        width: units of a layer of G; the authors have 400.
        critic_width: maxout units of a layer of D; the authors have 200.

    >>> packs()["PacGAN3"].pack
    3
    """
    rate = Adam(1e-4, (0.8, 0.999))
    networks = Maxout(widths=(width,) * 4, critic_widths=(critic_width,) * 3, norm="batch", init_std=0.02)
    plain = GAN(prior=Gaussian(2), networks=networks, rule=rate, critic_rule=rate, simultaneous=True)
    return {"GAN": plain, **{f"PacGAN{m}": replace(plain, pack=m) for m in (2, 3, 4)}}


def laboratory(
    world: str, systems: Systems | None = None, *, out: str | Path, page: bool = True, say: Callable[[str], None] = lambda text: None,
    **options: Any,
) -> Comparison:  # fmt: skip
    """Compare compositions on a world with known modes, and put the published figures beside them.

    Args:
        world: ring8, grid25 or stacked:PATH.
        systems: what is compared; :func:`compositions` of the world unless given.
        out: the folder of the comparison; the same call goes on there.
        page: write the page: table with intervals, curves, strips of samples over each training.
        say: is given a line when a fit is done.
        **options: of :func:`tacit.compare` (seeds, steps, batch_size …).

    Raises:
        InputError: a world without known modes, and what ``compare`` refuses.
    """
    chosen = compositions(world) if systems is None else systems
    if world.partition(":")[0].startswith("stacked") and "features" not in options:
        options["features"] = "trained"
    found = compare(chosen, world, out=out, page=False, say=say, **options)
    known = PUBLISHED.get(world.partition(":")[0], {})
    found = replace(found, about={**found.about, "published": known})
    write_json(found.folder / "compare.json", found.to_json())
    if not page:
        return found
    from tacit import data
    from tacit.comparison.page import write

    return replace(found, page=write(found, data.load(world, **(options.get("load") or {}))))
