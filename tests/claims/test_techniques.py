"""What the claims about techniques and architectures set side by side, and how they judge."""

from __future__ import annotations

import dataclasses

import pytest

from tacit.claims import Result, improved_gan_tricks, wgangp_architectures
from tacit.core import Nets, from_json, to_json
from tacit.data import Spec


def test_each_technique_stands_alone_in_the_same_game():
    systems = improved_gan_tricks.systems()
    plain = systems.pop("GAN")
    changed = {
        name: {f.name for f in dataclasses.fields(s) if getattr(s, f.name) != getattr(plain, f.name)} for name, s in systems.items()
    }
    assert changed == {
        "minibatch discrimination": {"kernels", "kernel_dim"}, "feature matching": {"feature_matching"},
        "historical averaging": {"rule", "critic_rule"}, "label smoothing": {"objective"}, "virtual batch norm": {"networks"},
    }  # fmt: skip


@pytest.mark.parametrize("small", [False, True])
def test_methods_differ_in_what_keeps_the_critic_lipschitz(small):
    systems, pairs = wgangp_architectures.systems(small), wgangp_architectures.architectures(small)
    assert len(pairs) == (4 if small else 6)
    assert {f"{method}, {p}" for p in pairs for method in ("penalty", "clipping")} <= set(systems)
    spec = Spec(shape=(1, 8, 8), kind="image", bounded=True)
    for name, system in systems.items():
        assert system.networks == pairs[name.partition(", ")[2]] and from_json(to_json(system)) == system
        kinds = {type(m).__name__ for m in Nets(system.nets(spec)).D.modules()}
        assert "BatchNorm" not in kinds and ("GroupNorm" in kinds) == name.endswith("with norm")


@pytest.mark.parametrize(("penalty", "clipping", "verdict"), [(0, 1, True), (1, 1, False), (0, 0, False)])
def test_the_penalty_must_never_collapse_and_clipping_must(penalty, clipping, verdict):
    extra = {"most collapses under penalty": penalty, "fewest under clipping": clipping, "lowest coverage under clipping": 0.3}
    assert wgangp_architectures.CLAIM.holds(Result({0: 0.4}, extra)) is verdict
    assert wgangp_architectures.CLAIM.holds(Result({0: 0.4}, extra), small=True)
    assert not wgangp_architectures.CLAIM.holds(Result({0: 0.2}, extra), small=True)
