"""The loop: averages, micro-batches, turns, plateaus, budgets, precision, compilation, randomness."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tacit
from support import make_pictures, make_vectors
from tacit.core import Field, Nets, Rng
from tacit.core.game import Round
from tacit.engine import compiled, precision
from tacit.engine import run as engine_run

RUN: dict[str, Any] = {"batch_size": 16, "precision": "float32", "log_every": 1}
MLP = tacit.MLP(widths=(16,))
GAME = tacit.GAN(prior=tacit.Gaussian(4), networks=MLP)


def weights(model: tacit.Model) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in model.nets.state().items()}


def path(system: tacit.System, X: Any, steps: int, **more: Any) -> list[dict[str, Tensor]]:
    """Weights at the start of each reading."""
    seen: list[dict[str, Tensor]] = []
    tacit.fit(
        system, X, steps=steps, callbacks=[lambda s: seen.append({k: v.clone() for k, v in s["nets"].state().items()})],
        **{**RUN, **more},
    )  # fmt: skip
    return seen


# ---------------------------------------------------------------------- averages


def test_the_average_is_the_known_sum():
    steps, decay = 12, 0.6
    seen = path(GAME, make_vectors(), steps)
    start = path(GAME, make_vectors(), 1, ema=None)[0]
    model = tacit.fit(GAME, make_vectors(), steps=steps, ema=decay, ema_networks=("G",), **RUN)
    torch.manual_seed(0)
    first = {f"G.{k}": v.clone() for k, v in GAME.nets(model.spec)["G"].state_dict().items()}
    assert not torch.equal(first["G.net.0.weight"], start["G.net.0.weight"])
    for k in (k for k in seen[0] if k.startswith("G.")):
        mean = first[k]
        for t, w in enumerate(seen, 1):
            d = min(decay, (1 + t) / (10 + t))
            mean = d * mean + (1 - d) * w[k]
        torch.testing.assert_close(weights(model)[k], mean, rtol=1e-5, atol=1e-7)
    for k in (k for k in seen[0] if k.startswith("D.")):
        assert torch.equal(weights(model)[k], seen[-1][k])


def test_averaged_weights_have_running_statistics_of_their_own():
    system = tacit.GAN(prior=tacit.Gaussian(4), networks=tacit.MLP(widths=(16,), norm="batch"), rule=tacit.Adam(1e-2))
    model = tacit.fit(system, make_vectors(), steps=40, ema=0.95, **RUN)
    G = model.nets.modules()["G"]
    norm = next(m for m in G.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))
    seen: list[Tensor] = []
    hook = norm.register_forward_pre_hook(lambda m, args: seen.append(args[0].detach()))
    with torch.no_grad():
        G(system.prior.sample(20_000, Rng(9)))
    hook.remove()
    x = torch.cat(seen)
    scale = x.std(0)
    # 50 batches of 16 rows, by the critic's turn and by the generator's: the mean of 800 rows or more.
    assert ((norm.running_mean - x.mean(0)).abs() / scale).max() < 5 / np.sqrt(800)
    assert (norm.running_var / x.var(0) - 1).abs().max() < 8 / np.sqrt(800)
    assert norm.momentum == 0.1


# ---------------------------------------------------------------------- micro-batches


@pytest.mark.parametrize("system", [
    tacit.Autoencoder(latent_dim=3, networks=MLP),
    tacit.WGANGP(prior=tacit.Gaussian(4), networks=MLP, critic_steps=1),
    tacit.VAE(latent_dim=2, networks=MLP),
], ids=lambda s: type(s).__name__)  # fmt: skip
def test_micro_batches_equal_the_whole_batch(system):
    one, four = (tacit.fit(system, make_vectors(), steps=5, accumulate=k, **{**RUN, "precision": "float64"}) for k in (1, 4))
    for k, v in weights(one).items():
        torch.testing.assert_close(weights(four)[k], v, rtol=1e-9, atol=1e-10)
    for a, b in zip(one.log, four.log, strict=True):
        assert all(a[k] == pytest.approx(b[k], rel=1e-6, abs=1e-8) for k in a if "/" in k)


@dataclass(frozen=True, kw_only=True)
class Together(tacit.GAN):
    """Both players of a GAN in one turn."""

    joint: tacit.core.Rule = field(default_factory=tacit.SGD)

    def phases(self) -> tuple[tacit.Phase, ...]:
        return (tacit.Phase(tacit.Turn(("critic", "generator"), self.joint)),)


SMOOTH = tacit.MLP(widths=(16,), act="tanh", critic_act="tanh")


def test_consensus_over_micro_batches_averages_the_field_first():
    system = Together(prior=tacit.Gaussian(4), networks=SMOOTH, joint=tacit.Consensus(tacit.SGD(0.05), gamma=1.0))
    one, four = (tacit.fit(system, make_vectors(), steps=5, accumulate=k, **RUN) for k in (1, 4))
    for k, v in weights(one).items():
        torch.testing.assert_close(weights(four)[k], v, rtol=1e-5, atol=1e-6)
    plain = tacit.fit(Together(prior=tacit.Gaussian(4), networks=SMOOTH, joint=tacit.SGD(0.05)), make_vectors(), steps=5, **RUN)
    assert any((weights(plain)[k] - v).abs().max() > 1e-4 for k, v in weights(one).items())


def test_one_rule_for_each_player_moves_them_simultaneously():
    together = Together(prior=tacit.Gaussian(4), networks=SMOOTH, joint=tacit.SGD(0.05))

    @dataclass(frozen=True, kw_only=True)
    class Apart(Together):
        def phases(self) -> tuple[tacit.Phase, ...]:
            return (tacit.Phase(tacit.Turn(("critic", "generator"), (tacit.SGD(0.05), tacit.SGD(0.05)))),)

    a = tacit.fit(together, make_vectors(), steps=5, **RUN)
    b = tacit.fit(Apart(prior=tacit.Gaussian(4), networks=SMOOTH), make_vectors(), steps=5, **RUN)
    for k, v in weights(a).items():
        assert torch.equal(v, weights(b)[k])


# ---------------------------------------------------------------------- turns


class Count(nn.Module):
    """A weight that falls by the learning rate at each move, and counts its forward passes."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(()))
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.passes += 1
        return self.w + 0 * x.sum()


@dataclass(frozen=True, kw_only=True)
class Turns(tacit.System):
    """A and B count their moves in units of the learning rate 1; the data a round saw is kept by ``seen``."""

    b: dict[str, Any]
    seen: list[Any]
    defaults: ClassVar[tacit.Defaults] = tacit.Defaults(steps=6, batch_size=4)

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"A": Count(), "B": Count()}

    def players(self) -> tuple[tacit.Player, ...]:
        def loss_b(n: Nets, r: Round) -> dict[str, Tensor]:
            self.seen.append((r.step, float(r.x.sum())))
            return {"b": n.B(r.x)}

        return (
            tacit.Player("a", owns=("A",), loss=lambda n, r: {"a": n.A(r.x) + 0 * n.B(r.x).detach()}),
            tacit.Player("b", owns=("B",), loss=loss_b, watch=lambda n, r: {"seen": n.A(r.x)}),
        )

    def phases(self) -> tuple[tacit.Phase, ...]:
        return (tacit.Phase(tacit.Turn("a", tacit.SGD(1.0)), tacit.Turn("b", tacit.SGD(1.0), **self.b)),)


def turns(**b: Any) -> tuple[tacit.Model, list[Any]]:
    seen: list[Any] = []
    model = tacit.fit(Turns(b=b, seen=seen), make_vectors(), steps=6, **{**RUN, "batch_size": 4})
    return model, seen[1:]


def moved(model: tacit.Model) -> tuple[float, float]:
    return -model.nets.modules()["A"].w.item(), -model.nets.modules()["B"].w.item()


def test_times_every_and_reuse(tmp_path, monkeypatch):
    monkeypatch.setattr("tacit.engine.to_json", lambda system: {})
    model, seen = turns()
    assert moved(model) == (6, 6) and len(set(seen)) == 6
    model, seen = turns(times=3)
    assert moved(model) == (6, 18) and len(set(seen)) == 18
    model, seen = turns(times=3, reuse=True)
    assert moved(model) == (6, 18) and len(set(seen)) == 6 and all(seen.count(s) == 3 for s in seen)
    model, seen = turns(times=lambda step: 4 if step in (0, 3) else 1)
    assert moved(model) == (6, 12) and [s for s, _ in seen] == [0] * 4 + [1, 2] + [3] * 4 + [4, 5]
    # B's term is its own −w before each move, and a line of the log its mean over the moves of a step.
    assert [line["b/b"] for line in model.log] == [-1.5, -4.0, -5.0, -7.5, -10.0, -11.0]
    model, seen = turns(every=2)
    assert moved(model) == (6, 3) and [s for s, _ in seen] == [0, 2, 4]
    assert ["b/b" in line for line in model.log] == [True, False] * 3


def test_when_reads_the_last_terms(monkeypatch):
    monkeypatch.setattr("tacit.engine.to_json", lambda system: {})
    model, _ = turns(when=lambda log: log.get("a/a", 0.0) < -2.5)
    # a/a is −k in step k (from 0), so that B moves in steps 3, 4 and 5.
    assert moved(model) == (6, 3)
    assert ["b/b" in line for line in model.log] == [False] * 3 + [True] * 3


def test_what_is_watched_is_logged_and_never_summed(monkeypatch):
    monkeypatch.setattr("tacit.engine.to_json", lambda system: {})
    model, _ = turns()
    assert [line["b/seen"] for line in model.log] == [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]
    assert [line["b/loss"] for line in model.log] == [line["b/b"] for line in model.log] == [0.0, -1.0, -2.0, -3.0, -4.0, -5.0]


@dataclass(frozen=True, kw_only=True)
class Dual(tacit.System):
    """min_w λ(w − 1), λ ← λ + ½(w − 1): the slack is logged, reaches ``after``, and is not minimised."""

    logs: tuple[str, ...] = ("slack",)
    times: int = 1
    defaults: ClassVar[tacit.Defaults] = tacit.Defaults(steps=3, batch_size=4)

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"A": Count()}

    def memory(self, spec: Any) -> dict[str, Tensor]:
        return {"dual": torch.ones(())}

    def players(self) -> tuple[tacit.Player, ...]:
        def loss(n: Nets, r: Round) -> dict[str, Tensor]:
            w = n.A(r.x)
            return {"objective": r.memory["dual"] * (w - 1), "slack": w - 1 + (r.x[:, 0] - r.x[:, 0]).mean()}

        return (tacit.Player("a", owns=("A",), loss=loss, logs=self.logs),)

    def phases(self) -> tuple[tacit.Phase, ...]:
        return (tacit.Phase(tacit.Turn("a", tacit.SGD(1.0), times=self.times)),)

    def after(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"dual": memory["dual"] + 0.5 * log["a/slack"]}


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_term_that_is_only_logged_is_not_minimised_and_reaches_memory(monkeypatch, accumulate):
    monkeypatch.setattr("tacit.engine.to_json", lambda system: {})
    model = tacit.fit(Dual(), make_vectors(), **{**RUN, "log_every": 1, "steps": 3, "batch_size": 4, "accumulate": accumulate})
    w, dual, slack = 0.0, 1.0, []
    for _ in range(3):
        slack.append(w - 1)
        w, dual = w - dual, dual + 0.5 * (w - 1)
    assert [line["a/slack"] for line in model.log] == pytest.approx(slack)
    assert [line["a/loss"] for line in model.log] == [line["a/objective"] for line in model.log]
    assert float(model.nets.memory["dual"]) == pytest.approx(dual)


def test_memory_moves_after_each_repetition_of_a_turn(monkeypatch):
    monkeypatch.setattr("tacit.engine.to_json", lambda system: {})
    model = tacit.fit(Dual(times=3), make_vectors(), **{**RUN, "log_every": 1, "steps": 2, "batch_size": 4})
    w, dual = 0.0, 1.0
    for _ in range(6):
        w, dual = w - dual, dual + 0.5 * (w - 1)
    assert float(model.nets.memory["dual"]) == pytest.approx(dual)


def test_a_logged_term_that_the_loss_does_not_give_is_refused():
    with pytest.raises(tacit.InputError, match="logs the term 'slak', which its loss does not give; did you mean 'slack'"):
        tacit.fit(Dual(logs=("slak",)), make_vectors(), **RUN)


def test_only_the_owners_turn_moves_buffers(monkeypatch):
    monkeypatch.setattr("tacit.engine.to_json", lambda system: {})
    model, _ = turns(times=2)
    # B runs in A's turns as well, and A is watched in B's: neither counts.
    assert model.nets.modules()["A"].passes.item() == 6 and model.nets.modules()["B"].passes.item() == 12


@dataclass(frozen=True, kw_only=True)
class Flat(tacit.System):
    """min_w (w − 1)² + 1, which stops falling once w = 1."""

    plateau: tacit.Plateau | None = None

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return {"A": Count()}

    def players(self) -> tuple[tacit.Player, ...]:
        return (tacit.Player("a", owns=("A",), loss=lambda n, r: {"fit": (n.A(r.x) - 1).square() + 1}),)

    def phases(self) -> tuple[tacit.Phase, ...]:
        end = tacit.Phase(name="end", enter=lambda n, w: {"done": torch.ones(())})
        return (tacit.Phase(tacit.Turn("a", tacit.SGD(0.5)), plateau=self.plateau), end)


def test_a_plateau_lowers_the_rate_and_ends_the_phase(monkeypatch):
    monkeypatch.setattr("tacit.engine.to_json", lambda system: {})
    plateau = tacit.Plateau("a/fit", factor=0.1, patience=2, every=4, min_lr=1e-3)
    model = tacit.fit(Flat(plateau=plateau), make_vectors(), steps=500, **RUN)
    rates = sorted({round(line["lr"], 9) for line in model.log}, reverse=True)
    # Windows of 4 steps: the second is better than the first by w reaching 1; then (patience + 1) windows for each rate.
    assert rates == pytest.approx([0.5, 0.05, 0.005]) and model.info["steps"] == 8 + 3 * 12
    assert model.nets.memory["done"] == 1
    with pytest.raises(tacit.InputError, match="the plateau watches 'a/x', which is not a term here"):
        tacit.fit(Flat(plateau=tacit.Plateau("a/x")), make_vectors(), steps=5, **RUN)


# ---------------------------------------------------------------------- budgets and stops


def test_a_time_budget_takes_fewer_steps_and_ends_schedules_where_they_should(monkeypatch):
    monkeypatch.setattr(precision, "timed", lambda run, device, repeats=3: (run(), 0.1)[1])
    system = tacit.Autoencoder(latent_dim=2, networks=MLP, rule=tacit.Adam(1e-3, schedule="linear"))
    model = tacit.fit(system, make_vectors(), steps=1000, max_minutes=0.05, **{**RUN, "log_every": 5})
    # 3 seconds at 0.1 s a step and a fifth for the optimiser.
    assert 20 <= model.info["steps"] <= 25 and model.info["status"] == "finished"
    assert model.log[-1]["lr"] == pytest.approx(1e-3 / model.info["steps"], rel=1e-6)


def test_a_run_that_is_slower_than_estimated_stops_in_time(monkeypatch):
    """By a clock that moves .05 s a step, where the estimate was a hundred-thousandth."""
    clock = [0.0]
    monkeypatch.setattr(precision, "timed", lambda run, device, repeats=3: (run(), 1e-5)[1])
    monkeypatch.setattr(engine_run, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def tick(state: dict[str, Any]) -> None:
        clock[0] += 0.05

    model = tacit.fit(GAME, make_vectors(), steps=10_000, max_minutes=0.01, callbacks=[tick], **RUN)
    assert model.info["status"] == "stopped at the time budget" and 12 <= model.info["steps"] <= 14


def test_callbacks_see_the_terms_and_stop_early(tmp_path):
    seen = []

    def watch(state: dict[str, Any]) -> bool:
        seen.append((state["step"], set(state["terms"])))
        return state["step"] >= 6

    model = tacit.fit(GAME, make_vectors(), run=tmp_path / "run", steps=50, callbacks=[watch], **{**RUN, "log_every": 3})
    assert [s for s, _ in seen] == [3, 6] and {"critic/adversarial", "generator/adversarial"} <= seen[0][1]
    assert model.info["status"] == "stopped early" and model.info["steps"] == 6
    assert tacit.load(tmp_path / "run").info["steps"] == 6


# ---------------------------------------------------------------------- randomness


def test_the_callers_random_numbers_are_untouched_and_unused(monkeypatch):
    def numbers() -> tuple[Any, ...]:
        return random.random(), float(np.random.rand()), torch.rand(2).tolist()

    def seed() -> None:
        random.seed(4), np.random.seed(4), torch.manual_seed(4)

    for system in (GAME, tacit.KMeans(n_clusters=3), tacit.GaussianMixture(n_clusters=2)):
        seed()
        want = numbers()
        seed()
        a = tacit.fit(system, make_vectors(), steps=3, ema=0.9 if system is GAME else None, **RUN)
        if "sample" in tacit.can(system):
            a.sample(3)
        assert numbers() == want
        b = tacit.fit(system, make_vectors(), steps=3, ema=0.9 if system is GAME else None, **RUN)
        for k, v in {**weights(a), **a.nets.memory}.items():
            assert torch.equal(v, {**weights(b), **b.nets.memory}[k])
    c = tacit.fit(GAME, make_vectors(), steps=3, seed=1, **RUN)
    assert not torch.equal(weights(c)["G.net.0.weight"], weights(tacit.fit(GAME, make_vectors(), steps=3, **RUN))["G.net.0.weight"])


def test_row_weights_choose_the_rows():
    x = make_vectors()
    w = np.zeros(48)
    w[[3, 7]] = 1.0, 3.0
    rows: list[Tensor] = []
    real = tacit.Autoencoder.draw

    @dataclass(frozen=True, kw_only=True)
    class Watched(tacit.Autoencoder):
        def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
            rows.append(batch.index)
            return real(self, n, batch, rng, memory)

    tacit.fit(Watched(latent_dim=2, networks=MLP), x, steps=100, weights=w, **RUN)
    index = torch.cat(rows)
    assert set(index.tolist()) == {3, 7}
    assert (index == 7).double().mean().item() == pytest.approx(0.75, abs=0.05)


# ---------------------------------------------------------------------- continuing


def test_a_model_goes_on_from_its_own_weights_and_scaling():
    x = make_vectors()
    first = tacit.fit(GAME, x, steps=10, **RUN)
    before = weights(first)
    second = first.fit(x + 1.0, steps=1, **{**RUN, "log_every": 1})
    assert second.spec is first.spec and second.system == first.system
    moved = max((weights(second)[k] - v).abs().max().item() for k, v in before.items())
    assert 0 < moved < 5e-4, "one step of Adam at 2e-4 from the old weights"
    assert all(torch.equal(v, weights(first)[k]) for k, v in before.items())
    with pytest.raises(tacit.InputError, match="shape"):
        first.fit(x[:, :4], steps=1)


# ---------------------------------------------------------------------- precision


@pytest.mark.parametrize("choice", ["float32", "bf16", "float64", "auto"])
def test_precisions_agree(choice):
    system = tacit.WGANGP(prior=tacit.Gaussian(4), networks=MLP, critic_steps=1)
    want = tacit.fit(system, make_vectors(), steps=10, **{**RUN, "precision": "float64"})
    model = tacit.fit(system, make_vectors(), steps=10, **{**RUN, "precision": choice})
    assert model.info["precision"] == [choice] if choice != "auto" else model.info["precision"][0] in ("float32", "bf16")
    tolerance = {"float32": 1e-4, "float64": 0.0}.get(choice, 3e-3)
    for k, v in weights(model).items():
        assert v.dtype == (torch.float64 if choice == "float64" else torch.float32)
        assert (v.double() - weights(want)[k]).abs().max() <= tolerance
    penalty = [line["critic/penalty"] for line in model.log]
    assert penalty == pytest.approx([line["critic/penalty"] for line in want.log], rel=3e-2)
    assert model.sample(3).dtype == np.float32


def test_auto_keeps_the_faster_and_remembers_it(monkeypatch, tmp_path):
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    for fast in ("float32", "bf16"):

        def timed(run: Callable[[], object], device: torch.device, repeats: int = 3, fast: str = fast) -> float:
            run()
            with run.autocast():
                return 1.0 if torch.is_autocast_enabled("cpu") == (fast == "bf16") else 2.0

        monkeypatch.setattr(precision, "timed", timed)
        assert tacit.fit(GAME, make_vectors(), steps=2, **{**RUN, "precision": "auto"}).info["precision"] == [fast]


# ---------------------------------------------------------------------- compilation


def traced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Graphs run as they were traced, without the minutes of a C++ compiler; returns a list that grows with each."""
    graphs: list[int] = []
    monkeypatch.setattr(compiled.torch, "compile", lambda graph, **kw: (graphs.append(1), graph)[1])
    return graphs


@pytest.mark.parametrize(
    ("system", "data", "graphs"),
    [
        (tacit.Autoencoder(latent_dim=3, networks=tacit.MLP(widths=(16,), norm="batch"), noise=0.1), make_vectors, 1),
        (tacit.VAE(latent_dim=3, networks=MLP), make_vectors, 1),
        (tacit.GAN(prior=tacit.Mixture(3, 4), networks=tacit.MLP(widths=(16,), norm="batch")), make_vectors, 2),
        (tacit.WGANGP(prior=tacit.Gaussian(4), networks=MLP, critic_steps=2), make_vectors, 2),
        (tacit.GAN(prior=tacit.Gaussian(4), networks=MLP, penalty=tacit.GradientNorm(1.0, every=3)), make_vectors, 3),
        (tacit.GAN(prior=tacit.Gaussian(4), networks=MLP, penalty=tacit.SpectralNormalisation()), make_vectors, 2),
        (tacit.GAN(prior=tacit.OneHotGaussian(3, 4), networks=tacit.networks.DCGAN(width=4)), make_pictures, 2),
        (Together(prior=tacit.Gaussian(4), networks=SMOOTH, joint=tacit.Extragradient(tacit.SGD(0.01))), make_vectors, 1),
        (Together(prior=tacit.Gaussian(4), networks=SMOOTH, joint=tacit.Consensus(tacit.SGD(0.01))), make_vectors, 1),
    ],
    ids=["autoencoder", "vae", "gan", "wgan-gp", "lazy penalty", "spectral norm", "dcgan", "extragradient", "consensus"],
)
@pytest.mark.parametrize("kind", ["float32", "bf16"])
def test_a_compiled_field_is_the_field(system, data, graphs, kind, monkeypatch):
    count = traced(monkeypatch)
    options = {**RUN, "precision": kind, "steps": 7}
    plain = tacit.fit(system, data(), **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        fast = tacit.fit(system, data(), compile=True, **options)
    assert len(count) == graphs
    for k, v in weights(plain).items():
        torch.testing.assert_close(weights(fast)[k], v, rtol=1e-5, atol=2e-6 if kind == "float32" else 1e-3)
    for a, b in zip(plain.log, fast.log, strict=True):
        assert all(a[k] == pytest.approx(b[k], rel=1e-4 if kind == "float32" else 3e-2, abs=1e-3) for k in a if "/" in k)


def test_a_really_compiled_gradient_penalty():
    """Through the C++ compiler; double backward included."""
    system = tacit.WGANGP(prior=tacit.Gaussian(4), networks=MLP, critic_steps=1)
    plain = tacit.fit(system, make_vectors(), steps=4, **RUN)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        fast = tacit.fit(system, make_vectors(), steps=4, compile=True, **RUN)
    for k, v in weights(plain).items():
        torch.testing.assert_close(weights(fast)[k], v, rtol=1e-4, atol=2e-6)


@dataclass(frozen=True, kw_only=True)
class Branches(tacit.Autoencoder):
    """Its loss asks a tensor for its value, which no graph can hold."""

    def loss(self, n: Nets, r: Round) -> dict[str, Tensor]:
        terms = super().loss(n, r)
        return {k: v * (2.0 if float(v.detach()) > 1e9 else 1.0) for k, v in terms.items()}


@dataclass(frozen=True, kw_only=True)
class Anneals(tacit.Autoencoder):
    """Its loss is weighted by the progress (a tensor in the graph) or by the step (not in one)."""

    by_step: bool = False

    def loss(self, n: Nets, r: Round) -> dict[str, Tensor]:
        scale = 1 / (1 + r.step) if self.by_step else 1 - 0.5 * r.progress
        return {k: scale * v for k, v in super().loss(n, r).items()}


def test_what_cannot_be_compiled_runs_uncompiled_with_one_warning(monkeypatch):
    count = traced(monkeypatch)
    for system in (Branches(latent_dim=2, networks=MLP), Anneals(latent_dim=2, networks=MLP, by_step=True)):
        plain = tacit.fit(system, make_vectors(), steps=4, **RUN)
        with pytest.warns(RuntimeWarning, match=r"the losses of autoencoder cannot be compiled .*; they run uncompiled") as seen:
            fast = tacit.fit(system, make_vectors(), steps=4, compile=True, **RUN)
        assert len([w for w in seen if w.category is RuntimeWarning]) == 1
        for k, v in weights(plain).items():
            assert torch.equal(v, weights(fast)[k])
    assert not count
    system = Anneals(latent_dim=2, networks=MLP)
    plain, fast = (tacit.fit(system, make_vectors(), steps=4, compile=c, **RUN) for c in (False, True))
    assert len(count) == 1
    for k, v in weights(plain).items():
        torch.testing.assert_close(weights(fast)[k], v, rtol=1e-5, atol=1e-7)


def test_tracing_moves_no_statistics():
    system = tacit.GAN(prior=tacit.Gaussian(4), networks=tacit.MLP(widths=(16,), norm="batch"))
    spec = tacit.data.Spec(shape=(6,))
    n = Nets(system.nets(spec), {})
    r = Round(x=torch.randn(8, 6), z=torch.randn(8, 4), eps=torch.rand(8), memory={}, step=0, progress=0.0, size=8)
    game = Field(system, n, system.players()[1:], [r])
    norm = next(m for m in n.modules()["G"].modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))
    before = norm.running_mean.clone()
    leaves = [*compiled._leaves({"x": r.x, "z": r.z, "eps": r.eps, "memory": {}, "size": 8}), torch.zeros(())]
    values = {"x": r.x, "z": r.z, "eps": r.eps, "memory": {}, "size": 8}
    with torch.enable_grad():
        compiled.Compiled()._trace(game, values, 0, leaves, *compiled._state(n))
    assert torch.equal(norm.running_mean, before)
    assert norm.running_mean is next(b for k, b in n.modules()["G"].named_buffers() if k.endswith("running_mean"))
