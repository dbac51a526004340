"""Historical averaging: its gradient, its mean, its state, and the orbits that it stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tacit
from tacit.core import Field, Nets
from tacit.core.game import Round
from tacit.rules import HistoricalAveraging

H, W = 0.1, 0.7
R = Round(memory={}, step=0, progress=0.0, size=1)


class Number(nn.Module):
    def __init__(self, value: float):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([value, -value], dtype=torch.float64))

    def forward(self) -> Tensor:
        return self.w


@dataclass(frozen=True, kw_only=True)
class Bilinear(tacit.System):
    """min_x max_y x·y."""

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"X": Number(1.0), "Y": Number(0.5)}

    def players(self) -> tuple[tacit.Player, ...]:
        return (
            tacit.Player("x", owns=("X",), loss=lambda n, r: {"f": (n.X() * n.Y()).sum()}),
            tacit.Player("y", owns=("Y",), loss=lambda n, r: {"f": -(n.X() * n.Y()).sum()}),
        )


def start(rule: tacit.core.Rule) -> tuple[Nets, Field, Any]:
    system = Bilinear()
    n = Nets(system.nets(None))
    field = Field(system, n, system.players(), [R])
    return n, field, rule.bind(field.weights)


def point(n: Nets) -> Tensor:
    return torch.cat([n.X(), n.Y()]).detach().clone()


def path(rule: tacit.core.Rule, steps: int) -> Tensor:
    n, field, stepper = start(rule)
    found = [point(n)]
    with torch.no_grad():
        for _ in range(steps):
            stepper.step(field)
            found.append(point(n))
    return torch.stack(found)


def v(theta: Tensor) -> Tensor:
    return torch.cat([theta[2:], -theta[:2]])


def test_the_move_is_the_gradient_of_the_players_losses_and_the_distance_to_their_past():
    got = path(HistoricalAveraging(tacit.SGD(H), weight=W), 6)
    want = got[:1]
    for _ in range(6):
        theta = want[-1].clone().requires_grad_(True)
        (pull,) = torch.autograd.grad(W * (theta - want.mean(0)).square().sum(), theta)
        want = torch.cat([want, (want[-1] - H * (v(want[-1]) + pull))[None]])
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-14)


def test_without_weight_it_is_the_inner_rule():
    torch.testing.assert_close(path(HistoricalAveraging(tacit.Adam(H), weight=0.0), 5), path(tacit.Adam(H), 5), rtol=0, atol=0)


def test_orbits_come_to_rest():
    """Plain simultaneous descent on x·y leaves; with its past it ends at the equilibrium, as fictitious play does."""
    plain, calm = path(tacit.SGD(H), 400), path(HistoricalAveraging(tacit.SGD(H), weight=0.1), 400)
    assert plain[-1].norm() > 5 * plain[0].norm() and calm[-1].norm() < 0.05 * calm[0].norm()


def test_inside_and_around_rules_of_the_joint_field():
    """Consensus inside: u = v + 2w(θ − mean), Jᵀu with J the field's Jacobian and 2w·I."""
    gamma = 0.4
    got = path(HistoricalAveraging(tacit.Consensus(tacit.SGD(H), gamma=gamma), weight=W), 3)
    A = torch.tensor([[0.0, 0, 1, 0], [0, 0, 0, 1], [-1, 0, 0, 0], [0, -1, 0, 0]], dtype=torch.float64)
    J = A + 2 * W * torch.eye(4, dtype=torch.float64)
    want = got[:1]
    for _ in range(3):
        u = A @ want[-1] + 2 * W * (want[-1] - want.mean(0))
        want = torch.cat([want, (want[-1] - H * (u + gamma * J.T @ u))[None]])
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-14)
    assert HistoricalAveraging(tacit.Consensus()).joint and not HistoricalAveraging(tacit.Adam()).joint
    looked = path(HistoricalAveraging(tacit.Extragradient(tacit.SGD(H), lookahead=H), weight=W), 1)
    first = got[0]
    ahead = first - H * A @ first
    torch.testing.assert_close(looked[1], first - H * (A @ ahead + 2 * W * (ahead - first)), rtol=1e-12, atol=1e-14)


def test_its_state_goes_on_where_it_was():
    rule = HistoricalAveraging(tacit.Adam(H), weight=W)
    whole = path(rule, 7)
    n, field, stepper = start(rule)
    with torch.no_grad():
        for _ in range(4):
            stepper.step(field)
        kept, at = {k: t.clone() for k, t in stepper.state().items()}, point(n)
        torch.testing.assert_close(torch.cat([kept["mean.0"], kept["mean.1"]]), whole[:5].mean(0), rtol=1e-12, atol=1e-14)
        m, again, other = start(rule)
        for name, part in (("X", at[:2]), ("Y", at[2:])):
            m.modules()[name].w.copy_(part)
        other.load_state(kept)
        for _ in range(3):
            other.step(again)
    assert torch.equal(point(m), whole[-1])


def test_values_without_a_meaning_are_refused():
    with pytest.raises(tacit.InputError, match=r"weight=-1.* expected 0 or more"):
        HistoricalAveraging(weight=-1.0)
    with pytest.raises(tacit.InputError, match="HistoricalAveraging around Solve has no meaning"):
        HistoricalAveraging(tacit.Solve())


def test_a_game_resumes_with_its_past(vectors, tmp_path):
    rule = HistoricalAveraging(tacit.Adam(1e-3), weight=0.5)
    system = tacit.GAN(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(8,)), rule=rule, critic_rule=rule)
    options = {"steps": 6, "batch_size": 16, "precision": "float32", "log_every": 1}
    whole = tacit.fit(system, vectors, **options)

    class Halt(Exception):
        pass

    def halt(state: dict[str, Any]) -> None:
        if state["step"] == 3:
            raise Halt

    with pytest.raises(Halt):
        tacit.fit(system, vectors, run=tmp_path / "run", callbacks=[halt], checkpoint_every="1", **options)
    again = tacit.resume(tmp_path / "run", vectors)
    np.testing.assert_array_equal(again.sample(4), whole.sample(4))
