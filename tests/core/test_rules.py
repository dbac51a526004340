"""Rules against closed forms, on a game with one number a player."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tacit
from tacit.core import Field, Nets, Rng
from tacit.core.game import Round


class Number(nn.Module):
    def __init__(self, value: float):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(value, dtype=torch.float64))

    def forward(self) -> Tensor:
        return self.w


@dataclass(frozen=True, kw_only=True)
class Bilinear(tacit.System):
    """min_x max_y f(x, y) = x·y; the field of descent is v = (y, −x), its Jacobian a rotation."""

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"X": Number(1.0), "Y": Number(0.5)}

    def players(self) -> tuple[tacit.Player, ...]:
        return (
            tacit.Player("x", owns=("X",), loss=lambda n, r: {"f": n.X() * n.Y()}),
            tacit.Player("y", owns=("Y",), loss=lambda n, r: {"f": -n.X() * n.Y()}),
        )


def play(rule: tacit.core.Rule, steps: int, *turns: tuple[str, ...]) -> np.ndarray:
    """The path of (x, y) from (1, ½), ``(steps + 1, 2)``."""
    system = Bilinear()
    n = Nets(system.nets(None))
    by_name = {p.name: p for p in system.players()}
    r = Round(memory={}, step=0, progress=0.0, size=1)
    fields = [Field(system, n, [by_name[name] for name in names], [r]) for names in turns]
    steppers = [rule.bind(f.weights) for f in fields]
    path = [(n.X().item(), n.Y().item())]
    with torch.no_grad():
        for _ in range(steps):
            for f, s in zip(fields, steppers, strict=True):
                s.step(f)
            path.append((n.X().item(), n.Y().item()))
    return np.array(path)


H = 0.1
BOTH = (("x", "y"),)


def growth(path: np.ndarray) -> np.ndarray:
    radius = np.linalg.norm(path, axis=1)
    return radius[1:] / radius[:-1]


def test_simultaneous_descent_spirals_out_at_its_known_rate():
    np.testing.assert_allclose(growth(play(tacit.SGD(H), 200, *BOTH)), math.sqrt(1 + H**2), rtol=1e-12)


def test_alternating_descent_stays_on_its_ellipse():
    """x' = x − hy, y' = y + hx' keeps x² + y² − hxy; the radius stays within √((1 + h/2)/(1 − h/2)) of the first."""
    path = play(tacit.SGD(H), 2000, ("x",), ("y",))
    kept = (path**2).sum(1) - H * path[:, 0] * path[:, 1]
    np.testing.assert_allclose(kept, kept[0], rtol=1e-10)
    radius = np.linalg.norm(path, axis=1)
    assert radius.max() == pytest.approx(math.sqrt(kept[0] / (1 - H / 2)), rel=1e-2)
    assert radius.min() == pytest.approx(math.sqrt(kept[0] / (1 + H / 2)), rel=1e-2)


def test_extragradient_converges_at_its_known_rate():
    """I − hA + h²A² with A a rotation by 90°: eigenvalues 1 − h² ± ih, radius factor √(1 − h² + h⁴)."""
    path = play(tacit.Extragradient(tacit.SGD(H), lookahead=H), 300, *BOTH)
    np.testing.assert_allclose(growth(path), math.sqrt(1 - H**2 + H**4), rtol=1e-12)


def test_consensus_converges_at_its_known_rate():
    """AᵀA = I: eigenvalues 1 − hγ ± ih, radius factor √((1 − hγ)² + h²)."""
    gamma = 0.6
    path = play(tacit.Consensus(tacit.SGD(H), gamma=gamma), 300, *BOTH)
    np.testing.assert_allclose(growth(path), math.sqrt((1 - H * gamma) ** 2 + H**2), rtol=1e-12)


def test_consensus_logs_each_term_once():
    system = Bilinear()
    n = Nets(system.nets(None))
    r = Round(memory={}, step=0, progress=0.0, size=1)
    f = Field(system, n, system.players(), [r])
    stepper = tacit.Consensus(tacit.SGD(H), gamma=0.5).bind(f.weights)
    with torch.no_grad():
        stepper.step(f)
    assert {k: v.item() for k, v in f.log.items()} == {"x/f": 0.5, "y/f": -0.5}


def test_optimisers_equal_their_closed_forms():
    path = play(tacit.SGD(H, momentum=0.9), 3, ("x",))
    x, m = 1.0, 0.0
    for t in range(3):
        m = 0.9 * m + 0.5
        x -= H * m
        assert path[t + 1, 0] == pytest.approx(x, rel=1e-12)
    assert play(tacit.Adam(H), 1, ("x",))[1, 0] == pytest.approx(1 - H, rel=1e-6)
    assert play(tacit.RMSProp(H), 1, ("x",))[1, 0] == pytest.approx(1 - H * 0.5 / (math.sqrt(0.01 * 0.25) + 1e-8), rel=1e-6)


@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_adam_is_a_heavy_ball_with_friction(beta):
    """With √v̂ ≪ eps: w_{t+1} − w_t = β(w_t − w_{t−1}) − h(1 − β)k·w_t, whose swing fades by √β a step at its known pace."""
    h, k, steps = 0.5 if beta == 0.9 else 2.0, 1.0, 400
    w = nn.Parameter(torch.ones(1, dtype=torch.float64))
    stepper = tacit.Adam(h * 1e12, (beta, 0.999), eps=1e12).bind([[w]])
    path = []
    for _ in range(steps):
        stepper.step(lambda: [k * w.detach()])
        path.append(w.item())
    # The start's bias correction fades like β^t; after it the path solves the linear recursion.
    late = np.array(path[150:180])
    want = late[1:-1] + beta * (late[1:-1] - late[:-2]) - h * (1 - beta) * k * late[1:-1]
    np.testing.assert_allclose(late[2:], want, rtol=1e-6, atol=1e-300)
    swing = late[1:] ** 2 - (1 + beta - h * (1 - beta) * k) * late[1:] * late[:-1] + beta * late[:-1] ** 2
    np.testing.assert_allclose(swing[1:] / swing[:-1], beta, rtol=1e-4)
    assert (np.diff(np.sign(path)) != 0).sum() > 20, "it swings"


@pytest.mark.parametrize(("schedule", "half"), [("constant", 1.0), ("linear", 0.5), ("cosine", 0.5)])
def test_schedules(schedule, half):
    w = nn.Parameter(torch.zeros(1))
    stepper = tacit.Adam(1e-3, schedule=schedule, warmup=0.1).bind([[w]])
    for progress, factor in ((0.05, None), (0.5, half), (1.0, 1.0 if schedule == "constant" else 0.0)):
        stepper.schedule(progress, 1.0)
        if factor is not None:
            assert stepper.lr() == pytest.approx(1e-3 * factor, abs=1e-12)
        else:
            assert 0 < stepper.lr() <= 0.5e-3 * 1.001
    stepper.schedule(0.5, 0.1)
    assert stepper.lr() == pytest.approx(1e-4 * half)


@dataclass(frozen=True, kw_only=True)
class LeastSquaresFit(tacit.System):
    """min_w ‖Xw − t‖², solved as w = (XᵀX)⁻¹Xᵀt from the whole batch."""

    couples_batch = True

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"W": nn.Linear(3, 1, bias=False)}

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return Round(x=batch.x, target=batch.x @ torch.tensor([1.0, -2.0, 0.5]).to(batch.x), shift=torch.ones(3))

    def solve(self, n: Nets, r: Round, mean: Any) -> dict[str, Tensor]:
        assert r.shift.shape == (3,) and len(r.x) == r.size
        gram, moment = mean(r.x.T @ r.x), mean(r.x.T @ r.target)
        return {"W.weight": torch.linalg.solve(gram, moment)[None]}

    def players(self) -> tuple[tacit.Player, ...]:
        return (tacit.Player("w", owns=("W",), solve=self.solve),)

    def phases(self) -> tuple[tacit.Phase, ...]:
        return (tacit.Phase(tacit.Turn("w", tacit.Solve())),)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_solve_reaches_the_closed_form_in_one_step(accumulate):
    x = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    model = tacit.fit(LeastSquaresFit(), x, steps=1, batch_size=8, precision="float32", accumulate=accumulate)
    np.testing.assert_allclose(model.nets.W.weight.detach().numpy(), [[1.0, -2.0, 0.5]], atol=1e-4)


@dataclass(frozen=True, kw_only=True)
class Coupled(tacit.System):
    """Two players whose smooth losses share both networks; for derivatives of the field."""

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        torch.manual_seed(0)
        return {k: nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1)).double() for k in "AB"}

    def f(self, n: Nets, r: Round) -> Tensor:
        return (n.A(r.x) * n.B(r.x).sin()).mean()

    def players(self) -> tuple[tacit.Player, ...]:
        return (
            tacit.Player("a", owns=("A",), loss=lambda n, r: {"f": self.f(n, r), "g": n.A(r.x).square().mean()}),
            tacit.Player("b", owns=("B",), loss=lambda n, r: {"f": -self.f(n, r)}),
        )


def test_field_and_its_product_equal_an_explicit_jacobian():
    system = Coupled()
    n = Nets(system.nets(None))
    x = torch.randn(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    r = Round(x=x, memory={}, step=0, progress=0.0, size=6)
    players = system.players()
    field = Field(system, n, players, [r])
    weights = [w for ws in field.weights for w in ws]
    names = {k: [name for name, _ in n.modules()[k].named_parameters()] for k in "AB"}

    def flat_field(theta: Tensor) -> Tensor:
        parts = torch.split(theta, [w.numel() for w in weights])
        shaped = [p.view_as(w) for p, w in zip(parts, weights, strict=True)]
        half = len(shaped) // 2
        swapped = n.swap(A=dict(zip(names["A"], shaped[:half], strict=True)), B=dict(zip(names["B"], shaped[half:], strict=True)))
        out = []
        for p, own in zip(players, (shaped[:half], shaped[half:]), strict=True):
            total = sum(p.loss(swapped, r).values())
            out += [g.reshape(-1) for g in torch.autograd.grad(total, own, create_graph=True)]
        return torch.cat(out)

    theta = torch.cat([w.detach().reshape(-1) for w in weights]).requires_grad_(True)
    v = torch.cat([g.reshape(-1) for g in field()])
    torch.testing.assert_close(v, flat_field(theta).detach(), rtol=1e-12, atol=1e-14)
    J = torch.autograd.functional.jacobian(flat_field, theta)
    u = [torch.randn(w.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(i)) for i, w in enumerate(weights)]
    got = torch.cat([g.reshape(-1) for g in field.vjp(u)])
    torch.testing.assert_close(got, J.T @ torch.cat([t.reshape(-1) for t in u]), rtol=1e-10, atol=1e-12)
    # The same over micro-batches, and again after the weights moved.
    halves = Field(system, n, players, r.split(2, 6))
    torch.testing.assert_close(torch.cat([g.reshape(-1) for g in halves()]), v, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(torch.cat([g.reshape(-1) for g in halves.vjp(u)]), got, rtol=1e-10, atol=1e-12)
    with torch.no_grad():
        torch._foreach_add_(weights, 0.1)
    moved = torch.cat([w.detach().reshape(-1) for w in weights]).requires_grad_(True)
    torch.testing.assert_close(torch.cat([g.reshape(-1) for g in field()]), flat_field(moved).detach(), rtol=1e-12, atol=1e-14)


def test_one_unrolled_step_equals_the_one_by_hand():
    """f = x·y − y²: one step of y is y' = y + h(x − 2y), and d f(x, y'(x))/dx = y' + (x − 2y')·h."""
    n = Nets({"X": Number(1.0), "Y": Number(0.5)})
    h = 0.3
    f = lambda n: n.X() * n.Y() - n.Y().square()  # noqa: E731
    (g,) = torch.autograd.grad(f(n), n.parameters(("Y",)), create_graph=True)
    ahead = n.swap(Y={"w": n.parameters(("Y",))[0] + h * g})
    (got,) = torch.autograd.grad(f(ahead), n.parameters(("X",)))
    y = 0.5 + h * (1.0 - 2 * 0.5)
    assert got.item() == pytest.approx(y + (1.0 - 2 * y) * h, rel=1e-12)
    assert n.Y().item() == 0.5 and ahead.Y().item() == pytest.approx(y)
    with pytest.raises(AttributeError, match="there is no network 'Z'; expected one of: X, Y"):
        _ = n.Z


@pytest.mark.parametrize("world", [2, 4])
def test_noise_is_sharded_over_ranks(world):
    calls = [
        lambda r, n: r.normal(n, 3), lambda r, n: r.uniform(n), lambda r, n: r.uniform(n, 2, low=-1, high=2),
        lambda r, n: r.integers(5, n), lambda r, n: r.normal(n),
    ]  # fmt: skip
    one = Rng(7)
    many = [Rng(7, rank=r, world=world) for r in range(world)]
    for call in calls:
        assert torch.equal(call(one, 8), torch.cat([call(r, 8 // world) for r in many]))
    assert all(torch.equal(r.permutation(9), one_perm) for one_perm in [one.permutation(9)] for r in many)
    state = one.state()
    a = one.normal(4)
    one.load_state(state)
    assert torch.equal(one.normal(4), a)


def test_noise_leaves_the_global_stream_alone():
    torch.manual_seed(1)
    want = torch.rand(3)
    torch.manual_seed(1)
    Rng(5).normal(100)
    assert torch.equal(torch.rand(3), want)


def test_rounds_are_cut_into_micro_batches():
    memory = {"pool": torch.zeros(8, 2)}
    r = Round(x=torch.arange(8.0), z=(torch.arange(16.0).view(8, 2), torch.arange(3)), memory=memory, step=4, progress=0.5, size=8)
    a, b = r.split(2, 8)
    assert torch.equal(a.x, torch.arange(4.0)) and torch.equal(b.z[0], torch.arange(8.0, 16.0).view(4, 2))
    assert torch.equal(a.z[1], torch.arange(3)) and a.memory is memory and a.step == 4
    assert (a.size, r.size) == (4, 8) and a.whole is r
    assert r.but(x=1).x == 1 and r.split(1, 8) == [r]
    with pytest.raises(AttributeError, match=r"the round has no 'label'; draw\(\) gave: x, z"):
        _ = r.label


RULES = [tacit.SGD(0.1, momentum=0.5), tacit.Adam(0.1), tacit.Adam(0.1, weight_decay=0.1), tacit.RMSProp(0.1)]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("layout", ["channels-last weight", "transposed gradient"])
def test_a_step_does_not_depend_on_the_memory_layout(rule, layout):
    """Fused kernels walk weights and gradients in storage order; also after the state went through a checkpoint."""
    shape = (4, 3, 2, 2) if layout == "channels-last weight" else (4, 3)
    g = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    start = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    plain, odd = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    if layout == "channels-last weight":
        odd.data = odd.data.to(memory_format=torch.channels_last)
    a, b = rule.bind([[plain]]), rule.bind([[odd]])
    for _ in range(2):
        a.step(lambda: [g.clone()])
        b.step(lambda: [g.t().contiguous().t() if layout != "channels-last weight" else g.clone()])
        kept = {k: v.contiguous().clone() for k, v in b.state().items()}
        b = rule.bind([[odd]])
        b.load_state(kept)
    torch.testing.assert_close(odd.data, plain.data, rtol=1e-6, atol=1e-7)
