"""What is refused before the first step, each with its reason; what a loss may and may not touch."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tacit
from support import make_vectors
from tacit.core import Field, Nets, from_json, to_json
from tacit.core.game import Round

RUN: dict[str, Any] = {"steps": 2, "batch_size": 8, "precision": "float32"}


@dataclass(frozen=True, kw_only=True)
class Tiny(tacit.System):
    """Two linear networks; players, turns and losses as a test wants them."""

    who: Any = None
    turns: Any = None

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"A": nn.Linear(6, 1), "B": nn.Linear(6, 1)}

    def players(self) -> tuple[tacit.Player, ...]:
        return self.who

    def phases(self) -> tuple[tacit.Phase, ...]:
        return (tacit.Phase(*self.turns, name="play"),)


def loss(net: str, change: Callable[[Tensor], Any] = lambda v: v.mean()) -> Callable[[Nets, Round], dict[str, Any]]:
    return lambda n, r: {"size": change(getattr(n, net)(r.x))}


A = tacit.Player("a", owns=("A",), loss=loss("A"))
B = tacit.Player("b", owns=("B",), loss=loss("B"))
STEP = tacit.SGD(0.1)
ONE = (tacit.Turn("a", STEP),)


@pytest.mark.parametrize(("who", "turns", "reason"), [
    ((tacit.Player("a", owns=("C",), loss=loss("A")),), ONE, "owns the network 'C', which does not exist; expected one of: A, B"),
    ((tacit.Player("a", owns=("Generator",), loss=loss("A")),), ONE, "the network 'Generator', which does not exist; expected one"),
    ((A, tacit.Player("b", owns=("B", "A"), loss=loss("B"))), (tacit.Turn(("a", "b"), STEP),),
     "moves a weight of .* twice, for 'a' and for 'b'"),
    ((A, A), ONE, "has two players 'a'"),
    ((tacit.Player("a", owns=("A",), loss=loss("A"), project={"B": print}),), ONE, "projects the network 'B', which it does not own"),
    ((A,), (tacit.Turn("critic", STEP),), "gives a turn to 'critic', who does not play; expected one of: a"),
    ((A, B), (tacit.Turn(("a", "b"), (STEP, STEP, STEP)),), "has 3 rules; expected 1 or 2"),
    ((A, B), (tacit.Turn(("a", "b"), (STEP, tacit.Consensus())),), "gives Consensus to one player beside other rules"),
    ((A, B), (tacit.Turn(("a", "b"), (STEP, tacit.Extragradient())),), "gives Extragradient to one player beside other rules"),
    ((tacit.Player("a", owns=("A",)),), ONE, "player 'a' moves by SGD but states no loss"),
    ((A,), (tacit.Turn("a", tacit.Solve()),), "player 'a' moves by Solve but states no solve"),
    ((tacit.Player("a", owns=("A",), loss=loss("B")),), ONE, r"'a' has a loss that reaches none of the weights it owns \(A\)"),
    ((tacit.Player("a", owns=("A",), loss=loss("A", lambda v: v.mean().detach())),), ONE, "reaches none of the weights it owns"),
    ((tacit.Player("a", owns=("A",), loss=loss("A", lambda v: (v > 0).float().mean())),), ONE, "reaches none of the weights"),
    ((tacit.Player("a", owns=("A",), loss=loss("A", lambda v: v)),), ONE, r"term 'a/size' is of shape \(8, 1\); expected a scalar"),
    ((tacit.Player("a", owns=("A",), loss=loss("A", lambda v: 1.0)),), ONE, "term 'a/size' is of float; expected a scalar tensor"),
], ids=lambda v: v[:40].replace("/", " ") if isinstance(v, str) else "")  # fmt: skip
def test_refused_at_declaration_with_the_reason(who, turns, reason, tmp_path):
    with pytest.raises(tacit.InputError, match=reason) as e:
        tacit.fit(Tiny(who=who, turns=turns), make_vectors(), run=tmp_path / "run", **RUN)
    assert "\n" not in str(e.value) and not (tmp_path / "run").exists()


def test_projections_of_all_owned_networks_or_of_the_named_ones(monkeypatch):
    monkeypatch.setattr("tacit.engine.to_json", lambda system: {})

    def half(net: nn.Module) -> None:
        net.weight.fill_(0.5)

    both = tacit.Player("a", owns=("A", "B"), loss=lambda n, r: {"s": (n.A(r.x) + n.B(r.x)).mean()})
    for project, moved in ((half, {"A", "B"}), ({"B": half}, {"B"}), (None, set())):
        model = tacit.fit(Tiny(who=(replace(both, project=project),), turns=ONE), make_vectors(), **RUN)
        assert {k for k, m in model.nets.modules().items() if bool((m.weight == 0.5).all())} == moved


def test_the_same_weight_in_two_turns_is_fine(monkeypatch):
    monkeypatch.setattr("tacit.engine.to_json", lambda system: {})
    both = tacit.Player("b", owns=("B", "A"), loss=lambda n, r: {"s": n.B(r.x).mean() + n.A(r.x).mean()})
    tacit.fit(Tiny(who=(A, both), turns=(*ONE, tacit.Turn("b", STEP))), make_vectors(), **RUN)


def test_gradients_go_to_what_a_player_owns_and_nowhere_else():
    """A's loss passes through B; B's weights have no part in A's field, and no gradient is left behind."""
    nets = {"A": nn.Linear(6, 6), "B": nn.Linear(6, 1)}
    n = Nets(nets)
    player = tacit.Player("a", owns=("A",), loss=lambda n, r: {"s": n.B(n.A(r.x)).mean()})
    x = torch.randn(4, 6)
    system = Tiny(who=(player,), turns=ONE)
    field = Field(system, n, (player,), [Round(x=x, memory={}, step=0, progress=0.0, size=4)])
    got = field()
    want = torch.autograd.grad(nets["B"](nets["A"](x)).mean(), list(nets["A"].parameters()))
    assert len(got) == 2 and all(torch.allclose(a, b) for a, b in zip(got, want, strict=True))
    assert all(p.grad is None for m in nets.values() for p in m.parameters())


def test_running_statistics_move_in_the_owners_turn_only():
    nets = {"A": nn.BatchNorm1d(6), "B": nn.Linear(6, 1)}
    n = Nets(nets).train()
    x = 5 + torch.randn(16, 6)
    r = Round(x=x, memory={}, step=0, progress=0.0, size=16)
    through = lambda n, r: {"s": n.B(n.A(r.x)).square().mean()}  # noqa: E731
    a, b = tacit.Player("a", owns=("A",), loss=through), tacit.Player("b", owns=("B",), loss=through)
    system = Tiny(who=(a, b), turns=ONE)
    Field(system, n, (b,), [r])()
    Field(system, n, (b,), [r]).vjp([torch.ones(1, 6), torch.ones(1)])
    assert torch.equal(nets["A"].running_mean, torch.zeros(6)) and nets["A"].num_batches_tracked == 0
    Field(system, n, (a,), [r])()
    torch.testing.assert_close(nets["A"].running_mean, 0.1 * x.mean(0))


def test_networks_may_share_weights():
    shared = nn.Linear(6, 6)
    n = Nets({"A": nn.Sequential(shared, nn.Linear(6, 1)), "B": nn.Sequential(shared, nn.Linear(6, 2))})
    assert len(n.parameters()) == 6 and len(n.parameters(("A", "B"))) == 6 and len(n.parameters(("B",))) == 4


# ---------------------------------------------------------------------- parts


def test_a_part_of_another_kind_is_refused():
    with pytest.raises(tacit.InputError, match=r"GAN got objective=.*; expected Objective \(one of .*hinge"):
        tacit.GAN(objective=tacit.NoPenalty())
    with pytest.raises(tacit.InputError, match=r"got latent_dim=2\.5; expected int"):
        tacit.VAE(latent_dim=2.5)
    with pytest.raises(tacit.InputError, match="got sigma=nan"):
        tacit.Gaussian(2, float("nan"))


OWN = '''
from dataclasses import dataclass, replace
import tacit

@dataclass(frozen=True, kw_only=True)
class Mine(tacit.Autoencoder):
    """min E‖x − D(E(x))‖²; mine."""
    extra: float = 2.0
'''


def test_a_users_own_system_is_refused_unless_its_module_is_allowed(tmp_path, monkeypatch):
    (tmp_path / "my_systems.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    import my_systems

    assert "mine" not in tacit.core.names("system")
    system = my_systems.Mine(latent_dim=2, extra=3.0, networks=tacit.MLP(widths=(8,)))
    folder = tmp_path / "run"
    tacit.fit(system, make_vectors(), run=folder, **RUN)
    for allow in ((), ("my",), ("other",), ("my_systems.sub",)):
        with pytest.raises(tacit.InputError, match=r"my_systems:Mine, which is not part of Tacit.*allow=\('my_systems',\)"):
            tacit.load(folder, allow=allow)
    assert tacit.load(folder, allow=("my_systems",)).system == system
    monkeypatch.delitem(sys.modules, "my_systems")
    with pytest.raises(tacit.InputError, match="which is not part of Tacit"):
        tacit.load(folder)
    assert "my_systems" not in sys.modules, "refused code must not even be imported"
    (tmp_path / "my_systems.py").unlink()
    with pytest.raises(tacit.InputError, match="my_systems:Mine cannot be imported"):
        tacit.load(folder, allow=("my_systems",))


@pytest.mark.parametrize("tag", ["os:system", "tacit.files:write_text", "builtins:eval"])
def test_what_is_not_a_part_is_refused(tag):
    with pytest.raises(tacit.InputError, match="is not a part; expected a subclass"):
        from_json({"part": tag, "options": {}}, allow=("os", "tacit", "builtins"))


@pytest.mark.parametrize(("part", "reason"), [
    ("gan", "there is no part 'gan'; expected 'kind/name'"), ("system/gam", "there is no system 'gam'; did you mean 'gan'"),
    ("sistem/gan", "there is no sistem 'gan'"),
])  # fmt: skip
def test_an_unknown_part_is_refused(part, reason):
    with pytest.raises(tacit.InputError, match=reason):
        from_json({"part": part, "options": {}})


def test_json_keeps_nested_parts():
    system = tacit.GAN(objective=tacit.LeastSquares(-1.0, 1.0, 0.0), prior=tacit.Mixture(3, 2), networks=tacit.MLP(widths=(3, 5)))
    text = json.dumps(to_json(system))
    assert from_json(json.loads(text)) == system and "least-squares" in text and Path(text).suffix != ".pkl"
