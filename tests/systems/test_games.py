"""Games with more than one critic, with autoencoders for critics, and with none: against closed forms and their own rules."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tacit
from tacit.core import Nets, Round
from tacit.core.part import get
from tacit.objectives._kernels import mmd2
from tacit.objectives._positive import log_softplus
from tacit.systems.games.energy import pulling_away


class Table(nn.Module):
    """One free output for each of a few points."""

    def __init__(self, size: int):
        super().__init__()
        self.values = nn.Parameter(torch.zeros(size, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.values[x]


def test_d2gans_best_discriminators_and_value():
    P, Q = torch.tensor([6, 1, 3, 2, 8]), torch.tensor([2, 5, 3, 9, 1])
    p, q = P.double() / 20, Q.double() / 20
    a, b = 0.3, 0.7
    system = tacit.D2GAN(alpha=a, beta=b)
    n = Nets({"D1": Table(5), "D2": Table(5), "G": nn.Identity()})
    points = torch.arange(5)
    r = Round(x=points.repeat_interleave(P), z=points.repeat_interleave(Q), eps=torch.zeros(20), step=0, memory={})
    # The penalty reads rows as numbers; it has no term here.
    optimiser = torch.optim.LBFGS(
        n.parameters(("D1", "D2")), max_iter=500, tolerance_grad=1e-11, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        terms = system.critic(n, r)
        loss = terms["data"] + terms["generated"]
        loss.backward()
        return loss

    optimiser.step(closure)
    D1, D2 = (nn.functional.softplus(n.modules()[k].values.detach()) for k in ("D1", "D2"))
    torch.testing.assert_close(D1, a * p / q, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(D2, b * q / p, rtol=1e-4, atol=1e-6)
    kl, back = float((p * (p / q).log()).sum()), float((q * (q / p).log()).sum())
    value = a * (math.log(a) - 1) + b * (math.log(b) - 1) + a * kl + b * back
    assert -closure().item() == pytest.approx(value, abs=1e-8)
    ours = system.generator(n, r)
    assert ours["data"].item() == pytest.approx(-a, rel=1e-4), "E_q D₁ = α"
    assert ours["generated"].item() == pytest.approx(b * float((q * (b * q / p).log()).sum()), rel=1e-4)


def test_log_softplus_where_softplus_rounds_to_nothing():
    v = torch.tensor([-500.0, -110.0, -20.0, -10.0, 0.0, 5.0, 300.0], requires_grad=True)
    out = log_softplus(v)
    truth = [-500.0, -110.0, -20.0, *(math.log(math.log1p(math.exp(t))) for t in (-10, 0, 5, 300))]
    np.testing.assert_allclose(out.detach(), truth, rtol=1e-5)
    (g,) = torch.autograd.grad(out.sum(), v)
    assert torch.isfinite(g).all() and g[0] == 1 and (g > 0).all()


def test_pulling_away_against_a_double_sum():
    s = torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    brute = np.mean([float(torch.cosine_similarity(s[i], s[j], dim=0)) ** 2 for i in range(7) for j in range(7) if i != j])
    assert pulling_away(s).item() == pytest.approx(brute, rel=1e-9)
    assert pulling_away(torch.eye(4)).item() == pytest.approx(0.0, abs=1e-7)
    assert pulling_away(torch.ones(4, 3)).item() == pytest.approx(1.0, rel=1e-6)


def test_ebgans_energy_is_the_distance_to_the_reconstruction():
    system = tacit.EBGAN(objective=tacit.objectives.EnergyMargin(2.0), networks=tacit.MLP(widths=(8,)), code_dim=3, pulling_away=0.5)
    spec = tacit.data.Spec(shape=(6,))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        n = Nets(system.nets(spec))
    x, z = torch.randn(5, 6, generator=torch.Generator().manual_seed(1)), torch.zeros(5, 64)
    r = Round(x=x, z=z, eps=torch.zeros(5), memory={}, step=0)
    fake = n.G(z)
    energies = [(n.D(n.E(t)) - t).norm(dim=1) for t in (x, fake)]
    critic, generator = system.critic(n, r), system.generator(n, r)
    assert critic["adversarial"].item() == pytest.approx((energies[0].mean() + (2 - energies[1]).clamp(0).mean()).item(), rel=1e-5)
    assert generator["adversarial"].item() == pytest.approx(energies[1].mean().item(), rel=1e-5)
    assert generator["pulling_away"].item() == pytest.approx(0.5, rel=1e-5), "all samples are one"
    torch.testing.assert_close(system.score(n, x, None), -energies[0])


def test_energies_and_logits_refuse_each_other_by_name():
    for make, words in (
        (lambda: tacit.GAN(objective=tacit.objectives.EnergyMargin()), ("GAN", "EnergyMargin", "energy", "take EBGAN, BEGAN or MAGAN")),
        (lambda: tacit.EBGAN(objective=tacit.Hinge()), ("EBGAN", "Hinge", "value", "take EnergyMargin or Equilibrium")),
        (lambda: tacit.BEGAN(penalty=tacit.GradientNorm(), networks=tacit.MLP(norm="batch")), ("GradientNorm", "MLP", "norm='none'")),
    ):
        with pytest.raises(tacit.InputError) as e:
            make()
        assert all(w in str(e.value) for w in words), e.value
    assert tacit.EBGAN(objective=tacit.objectives.Equilibrium()) and tacit.BEGAN(objective=tacit.objectives.EnergyMargin(0.2))


def test_began_logs_its_control_and_its_measure():
    o = tacit.objectives.Equilibrium(gamma=0.7, rate=0.2)
    system = tacit.BEGAN(objective=o, networks=tacit.MLP(widths=(32,)), code_dim=8, critic_rule=tacit.Adam(1e-3))
    model = tacit.fit(system, "digits", steps=60, batch_size=64, log_every=1, precision="float32", seed=0)
    k = measure = 0.0
    for line in model.log:
        assert line["critic/k"] == pytest.approx(k, abs=1e-6) and line["critic/convergence"] == pytest.approx(measure, rel=1e-5)
        real, fake = line["critic/real"], line["critic/fake"]
        assert line["critic/adversarial"] == pytest.approx(real - k * fake, rel=1e-4, abs=1e-6)
        answer = line["generator/adversarial"]
        k, measure = min(max(k + 0.2 * (0.7 * real - answer), 0.0), 1.0), real + abs(0.7 * real - answer)
    assert float(model.nets.memory["k"]) == pytest.approx(k, abs=1e-6)
    ks = [line["critic/k"] for line in model.log]
    assert max(ks) > 0 and len(set(ks)) > 5, "it moves"
    late, early = (np.mean([line["critic/convergence"] for line in part]) for part in (model.log[-10:], model.log[1:11]))
    print(f"M {early:.3f} -> {late:.3f}")
    assert late < early


def test_magan_starts_at_the_energy_of_the_data_and_reviews_it_every_epoch():
    system = tacit.MAGAN(networks=tacit.MLP(widths=(32,)), code_dim=8, prior=tacit.Gaussian(8), pretraining=0.25)
    seen = {}

    def first(state):
        if state["phase"] == "autoencoder" and state["step"] == 200:
            x = state["run"].feed.array()
            seen["margin"] = float(system.energy(state["nets"].train(False), x).mean())

    digits = tacit.data.load("digits")
    x = digits.read(0, 600)
    model = tacit.fit(system, x, steps=800, batch_size=70, log_every=1, precision="float32", seed=0, callbacks=[first])
    game = [line for line in model.log if line["phase"] == "train"]
    assert {line["phase"] for line in model.log[:200]} == {"autoencoder"} and len(game) == 600
    assert model.log[199]["autoencoder/energy"] < 0.7 * model.log[0]["autoencoder/energy"]
    margin, before, falls = seen["margin"], math.inf, 0
    assert game[0]["critic/margin"] == pytest.approx(margin, rel=1e-5)
    for start in range(0, 600, 9):
        epoch = game[start : start + 9]
        assert all(line["critic/margin"] == pytest.approx(margin, rel=1e-5) for line in epoch)
        for line in epoch:
            hinge = line["critic/adversarial"] - line["critic/real"]
            assert max(0.0, margin - line["critic/fake"]) - 1e-4 <= hinge <= margin + 1e-4, "the mean hinge, above the hinge of the mean"
        real, fake = (float(np.mean([line[k] for line in epoch])) for k in ("critic/real", "generator/adversarial"))
        if len(epoch) == 9 and real < margin and real < fake and fake > before:
            margin, falls = real, falls + 1
        before = fake
    print(f"the margin fell {falls} times in 66 epochs, from {seen['margin']:.2f} to {margin:.2f}")
    assert falls >= 3


def test_magan_takes_other_energies_and_the_margin_other_games():
    small = {"networks": tacit.MLP(widths=(8,)), "code_dim": 3, "prior": tacit.Gaussian(3)}
    run = {"steps": 12, "batch_size": 600, "log_every": 1, "precision": "float32", "seed": 0}
    plain = tacit.fit(tacit.MAGAN(objective=tacit.objectives.EnergyMargin(2.0), **small), "digits", **run)
    assert plain.nets.memory == {}
    for cls in (tacit.EBGAN, tacit.BEGAN):
        o = tacit.objectives.AdaptiveMargin(margin=7.0, period=2)
        model = tacit.fit(cls(objective=o, critic_rule=tacit.Adam(1e-2), **small), "digits", **run | {"steps": 40})
        margins = [line["critic/margin"] for line in model.log]
        assert margins[:4] == [7.0] * 4 and margins[-1] < 7.0 and margins == sorted(margins, reverse=True)
    for wrong in ({"margin": 0.0}, {"period": 0}):
        with pytest.raises(tacit.InputError, match="margin > 0 and period >= 1; give"):
            tacit.objectives.AdaptiveMargin(**wrong)
    for share in (0.0, 1.0):
        with pytest.raises(tacit.InputError, match=f"pretraining={share}"):
            tacit.MAGAN(pretraining=share)


@pytest.mark.parametrize("unbiased", [True, False])
def test_mmd_against_a_double_sum(unbiased):
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(6, 2, 2, generator=g, dtype=torch.float64), 0.7 * torch.randn(9, 2, 2, generator=g, dtype=torch.float64) + 0.5
    widths = (0.5, 2.0)

    def k(a: Tensor, b: Tensor) -> float:
        return float(np.mean([math.exp(-float((a - b).square().sum()) / (2 * s * s)) for s in widths]))

    def own(t: Tensor) -> float:
        return float(np.mean([k(t[i], t[j]) for i in range(len(t)) for j in range(len(t)) if i != j or not unbiased]))

    brute = own(x) + own(y) - 2 * float(np.mean([k(a, b) for a in x for b in y]))
    assert mmd2(x, y, widths, unbiased).item() == pytest.approx(brute, rel=1e-9)
    assert float(tacit.metrics.mmd(x, y, bandwidths=widths, unbiased=unbiased)) == pytest.approx(brute, rel=1e-9)
    assert mmd2(x, x, widths).item() == pytest.approx(0.0, abs=1e-12)
    bf16 = torch.autocast("cpu", torch.bfloat16)
    with bf16:
        assert mmd2(x.float(), y.float(), widths, unbiased).item() == pytest.approx(brute, abs=1e-6)


@pytest.mark.parametrize("space", ["data", "code"])
def test_gmmn_matches_moments_in_either_space(space):
    rng = np.random.default_rng(0)
    x = (np.repeat([[-1.0, 1.0, 0.5], [1.0, -1.0, 0.0]], 200, 0) + 0.2 * rng.normal(size=(400, 3))).astype(np.float32)
    small = tacit.MLP(widths=(64,))
    system = tacit.GMMN(space=space, networks=small, code_networks=small, prior=tacit.Uniform(4), code_dim=2)
    model = tacit.fit(system, x, steps=400 if space == "data" else 800, batch_size=128, precision="float32", log_every=50, seed=0)
    fresh = tacit.fit(system, x, steps=2, batch_size=128, precision="float32", seed=0)
    before, after = (float(tacit.metrics.mmd(x, m.sample(400, seed=1), bandwidths=(0.5, 1.0, 2.0))) for m in (fresh, model))
    print(f"{space}: MMD² {before:.4f} -> {after:.4f}")
    assert after < 0.1 * before
    np.testing.assert_allclose(model.sample(2000, seed=2).mean(0), x.mean(0), atol=0.15)
    assert model.log[0]["phase"] == ("generator" if space == "data" else "code")


PENALTIES = [
    tacit.NoPenalty(), tacit.GradientPenalty(), tacit.GradientNorm(on="both"), tacit.WeightClipping(0.1), tacit.SpectralNormalisation()
]  # fmt: skip
NETWORKS = [tacit.MLP(widths=(8,)), tacit.networks.DCGAN(width=3), tacit.networks.ResNet(width=6, norm="none")]


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: p.name)
@pytest.mark.parametrize("networks", NETWORKS, ids=lambda n: n.name)
@pytest.mark.parametrize("name", ["fishergan", "d2gan", "ebgan", "began", "mcgan", "mmdgan"])
def test_named_games_take_every_penalty_and_network_that_has_a_meaning(name, networks, penalty, pictures):
    cls = get("system", name)
    scaled = name == "fishergan" and penalty.lipschitz
    coupled = name in ("ebgan", "began") and penalty.second_order and networks.norm == "batch"
    if scaled or coupled:
        other = "Fisher" if scaled else type(networks).__name__
        with pytest.raises(tacit.InputError, match=rf"{other}|{type(penalty).__name__}") as e:
            cls(penalty=penalty, networks=networks)
        assert other in str(e.value) and type(penalty).__name__ in str(e.value)
        return
    if (name == "mcgan" and not penalty.lipschitz) or (name == "mmdgan" and penalty.second_order):
        with pytest.raises(tacit.InputError, match=f"{cls.__name__} with the penalty {type(penalty).__name__} has no meaning"):
            cls(penalty=penalty, networks=networks)
        return
    system = cls(penalty=penalty, networks=networks, prior=tacit.Mixture(2, 3), rule=tacit.RMSProp(1e-3), simultaneous=name != "fishergan",
                 critic_steps=2 if name == "fishergan" else 1)  # fmt: skip
    model = tacit.fit(system, pictures[:24], steps=3, batch_size=8, precision="float32", log_every=1, seed=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        before = Nets(system.nets(model.spec)).state()
    after = model.nets.state()
    assert all(np.isfinite(v) for line in model.log for k, v in line.items() if "/" in k)
    for net in model.nets.names():
        keys = [k for k in before if k.startswith(net + ".") and before[k].is_floating_point()]
        assert any(not torch.equal(after[k], before[k]) for k in keys), net
    assert model.sample(3).shape == (3, 1, 8, 8)
