"""Games over pairs of rows and latents, games through every row, mixtures of games: what each player is paid."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import softplus

import tacit
from support import make_vectors
from tacit.core import Nets, Rng, Round
from tacit.networks.joint import JointCritic, pair
from tacit.systems.games.mix import Mixture

SPEC = tacit.data.Spec(shape=(6,), kind="vector")
MLP = tacit.MLP(widths=(12,))
PARTS = {"prior": tacit.Gaussian(3), "networks": MLP}


def played(system: tacit.System, seed: int = 0) -> tuple[Nets, Round, dict[str, tacit.Player]]:
    torch.manual_seed(seed)
    n = Nets(system.nets(SPEC), system.memory(SPEC))

    class Batch:
        x = torch.tensor(make_vectors(8))

        def __len__(self) -> int:
            return 8

    r = system.draw(n, Batch(), Rng(seed), n.memory).but(memory=n.memory, step=0, progress=0.0, size=8)
    return n, r, {p.name: p for p in system.players()}


def reached(loss: torch.Tensor, n: Nets, *names: str) -> set[str]:
    """The networks that a loss's gradient reaches."""
    found = set()
    for name in names:
        grads = torch.autograd.grad(loss, n.parameters((name,)), retain_graph=True, allow_unused=True)
        if any(g is not None and bool(g.abs().sum() > 0) for g in grads):
            found.add(name)
    return found


def test_a_joint_critic_reads_both_the_row_and_the_latent():
    spec = tacit.data.Spec(shape=(1, 8, 8), kind="image", bounded=True)
    torch.manual_seed(0)
    critic = JointCritic(tacit.networks.DCGAN(width=4), spec, 3)
    x, z = torch.rand(4, 1, 8, 8), torch.randn(4, 3)
    whole = critic(pair(x, z))
    assert whole.shape == (4,)
    assert not torch.allclose(whole, critic(pair(x.flip(0), z))) and not torch.allclose(whole, critic(pair(x, z.flip(0))))
    assert torch.allclose(whole.flip(0), critic(pair(x.flip(0), z.flip(0))), atol=1e-6)


@pytest.mark.parametrize("objective", [tacit.objectives.NonSaturating(), tacit.objectives.Minimax()])
def test_ali_pays_generator_and_encoder_for_opposite_mistakes(objective):
    system = tacit.ALI(objective=objective, **PARTS)
    n, r, players = played(system)
    mu, log_var = n.E(r.x).chunk(2, 1)
    code = mu + (log_var / 2).exp() * r.e
    inferred, generated = n.D(pair(r.x, code)), n.D(pair(n.G(r.z), r.z))
    critic, terms = players["critic"].loss(n, r), players["generator"].loss(n, r)
    assert torch.allclose(critic["adversarial"], softplus(-inferred).mean() + softplus(generated).mean())
    if isinstance(objective, tacit.objectives.Minimax):
        # Both together are the negative of D's loss: one value, played for from both ends.
        assert torch.allclose(terms["adversarial"] + terms["inference"], -critic["adversarial"])
    else:
        assert torch.allclose(terms["inference"], softplus(inferred).mean())
    assert reached(terms["adversarial"], n, "G", "E") == {"G"} and reached(terms["inference"], n, "G", "E") == {"E"}


def test_ali_refuses_an_objective_whose_opposite_is_not_defined():
    with pytest.raises(tacit.InputError, match=r"ALI with the objective LeastSquares .* expected .*; choose one"):
        tacit.ALI(objective=tacit.objectives.LeastSquares())


def test_bigan_gives_one_code_a_row():
    model = tacit.ALI(stochastic=False, **PARTS).fit(make_vectors(), steps=3, batch_size=8)
    assert model.encode(make_vectors()).shape == (48, 3)


def test_veegans_reconstructor_is_moved_by_latents_alone():
    system = tacit.VEEGAN(**PARTS, reconstruction=2.0)
    n, r, players = played(system)
    terms = players["generator"].loss(n, r)
    fake = n.G(r.z)
    assert torch.allclose(terms["reconstruction"], 2 * (n.E(fake) - r.z).square().sum(1).mean())
    assert torch.allclose(terms["adversarial"], -n.D(pair(fake, r.z)).mean())
    assert reached(terms["adversarial"], n, "G", "E") == {"G"} and reached(terms["reconstruction"], n, "G", "E") == {"G", "E"}


def test_the_mode_regulariser_has_the_sign_that_makes_rows_covered():
    system = tacit.systems.ModeRegularisedGAN(**PARTS, match=0.3, cover=0.7)
    n, r, players = played(system)
    back = n.G(n.E(r.x))
    terms = players["generator"].loss(n, r)
    assert torch.allclose(terms["match"], 0.3 * (back - r.x).square().mean())
    assert torch.allclose(terms["cover"], -0.7 * torch.sigmoid(n.D(back)).log().mean())
    assert reached(terms["cover"], n, "G", "E") == {"G", "E"} and reached(terms["adversarial"], n, "G", "E") == {"G"}


def test_mdgans_diffusion_step_never_compares_with_data():
    system = tacit.MDGAN(**PARTS)
    n, r, players = played(system)
    moved = r.but(x=r.x + 100.0)
    assert torch.equal(players["generator"].loss(n, r)["adversarial"], players["generator"].loss(n, moved)["adversarial"])
    back, fake = n.G(n.E(r.x)), n.G(r.z)
    want = softplus(-n.D2(back)).mean() + softplus(n.D2(fake)).mean()
    assert torch.allclose(players["critic"].loss(n, r)["adversarial"], want)
    want = softplus(-n.D1(r.x)).mean() + softplus(n.D1(back)).mean()
    assert torch.allclose(players["manifold_critic"].loss(n, r)["adversarial"], want)


@pytest.mark.parametrize("system", [tacit.MDGAN, tacit.MixGAN])
def test_objectives_with_a_state_are_refused_where_there_are_several_critics(system):
    with pytest.raises(tacit.InputError, match=r"objective Fisher .* state .* choose another"):
        system(objective=tacit.objectives.Fisher(), penalty=tacit.penalties.NoPenalty())


def test_a_mixture_of_one_is_the_plain_game():
    parts = {**PARTS, "objective": tacit.objectives.Hinge(), "penalty": tacit.GradientNorm(1.0)}
    mixed, plain = tacit.MixGAN(n_pairs=1, entropy=0.0, **parts), tacit.GAN(**parts)
    n, r, players = played(mixed)
    alone = Nets({"G": n.G.parts[0], "D": n.D.parts[0]})
    for name, player in ((p.name, p) for p in plain.players()):
        want, got = player.loss(alone, r), players[name].loss(n, r)
        assert all(torch.allclose(got[k], v) for k, v in want.items()), name


def test_a_mixtures_payoff_is_the_weighted_sum_over_all_pairs():
    system = tacit.MixGAN(**PARTS, n_pairs=3, penalty=tacit.GradientPenalty(0.0), entropy=0.2)
    n, r, players = played(system)
    with torch.no_grad():
        n.G.logits.copy_(torch.tensor([0.0, 1.0, -1.0]))
        n.D.logits.copy_(torch.tensor([0.5, 0.0, 2.0]))
    u, v = n.G.logits.softmax(0), n.D.logits.softmax(0)
    want = sum(
        u[i] * v[j] * (D(G(r.z)).mean() - D(r.x).mean()) for i, G in enumerate(n.G.parts) for j, D in enumerate(n.D.parts)
    )
    terms = players["critic"].loss(n, r)
    assert torch.allclose(terms["adversarial"], want, atol=1e-6)
    assert torch.allclose(terms["entropy"], -0.2 * v.log().mean())
    assert reached(players["generator"].loss(n, r)["adversarial"], n, "G", "D") >= {"G"}


def test_a_mixtures_samples_come_from_each_part_by_its_weight():
    class Constant(torch.nn.Module):
        def __init__(self, value: float):
            super().__init__()
            self.value = value

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return torch.full((len(z), 1), self.value)

    mixture = Mixture([Constant(0.0), Constant(1.0), Constant(2.0)])
    with torch.no_grad():
        mixture.logits.copy_(torch.tensor([math.log(0.2), math.log(0.5), math.log(0.3)]))
    made = tacit.MixGAN(**PARTS).sample(Nets({"G": mixture}), 20_000, Rng(0)).flatten()
    shares = torch.bincount(made.long(), minlength=3) / len(made)
    assert torch.allclose(shares, mixture.weights(), atol=0.015)
