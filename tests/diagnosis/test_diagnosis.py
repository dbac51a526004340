"""Each question of a diagnosis on data where the answer is known, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

import tacit
from support import make_pictures
from tacit.cli import main
from tacit.diagnosis import CURES, collapse, diagnose, memorising, rotation, vanishing

RNG = np.random.default_rng(0)


def blobs(n: int, of: tuple[int, ...] = (0, 1, 2, 3), sd: float = 0.3, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    means = np.array([[0, 0], [6, 0], [0, 6], [6, 6.0]])
    which = np.array(of)[rng.integers(len(of), size=n)]
    return torch.tensor(means[which] + sd * rng.normal(size=(n, 2)))


@pytest.mark.parametrize(("of", "found", "missing"), [((0, 1, 2, 3), False, 0), ((0, 1, 2), True, 1), ((3,), True, 3)])
def test_what_is_missing_is_named(of, found, missing):
    real = blobs(1200)
    f = collapse(real, blobs(1200, of, seed=1), np.arange(1200))
    assert f.found is found and f.evidence["regions"] == 4 and f.evidence["missing regions"] == missing
    corners = {tuple((real[i] > 3).tolist()) for i in f.rows}
    assert len(corners) == missing
    assert f.evidence["missing share"] == pytest.approx(missing / 4, abs=0.04)


def test_samples_all_alike_within_regions_are_a_collapse_too():
    f = collapse(blobs(1200), blobs(1200, sd=0.03, seed=1), np.arange(1200))
    assert f.found and f.evidence["missing regions"] == 0 and f.evidence["variance within"] == pytest.approx(0.01, rel=0.3)


class Flat(torch.nn.Module):
    """D(x) = k·tanh(k'·(x − 3)): apart and flat where samples are."""

    def __init__(self, height: float, slope: float):
        super().__init__()
        self.height, self.slope = torch.nn.Parameter(torch.tensor(height)), slope

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.height * torch.tanh(self.slope * (x.flatten(1).mean(1) - 3))


def with_critic(critic: torch.nn.Module, objective: tacit.core.Objective) -> tacit.Model:
    """A model whose D is this one."""
    model = tacit.GAN(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(8,)), objective=objective).fit(
        np.random.default_rng(0).normal(size=(20, 2)), steps=1
    )
    model.nets.modules()["D"] = critic
    model.nets._modules["D"] = critic
    return model


@pytest.mark.parametrize(
    ("height", "objective", "found"),
    [
        (12.0, tacit.objectives.Minimax(), True),
        (12.0, tacit.objectives.NonSaturating(), False),
        (0.5, tacit.objectives.Minimax(), False),
    ],
)
def test_a_payment_that_saturates_is_found(height, objective, found):
    model = with_critic(Flat(height, 0.3), objective)
    f = vanishing(model, blobs(200, (3,)), blobs(200, (0,), seed=1))
    assert f.found is found and f.evidence["discriminator's error"] == 0
    # The slope is that of ℓ(D(x)), by hand.
    y = blobs(200, (0,), seed=1).requires_grad_(True)
    out = Flat(height, 0.3).double()(y)
    (g,) = torch.autograd.grad(objective.generator(out) * 200, y)
    assert f.evidence["gradient at samples"] == pytest.approx(float(g.norm(dim=1).mean()), rel=1e-6)


def test_a_flat_critic_is_found_whatever_it_pays():
    f = vanishing(with_critic(Flat(5.0, 30.0), tacit.objectives.NonSaturating()), blobs(200, (3,)), blobs(200, (0,), seed=1))
    assert f.found


def log(series: np.ndarray) -> list[dict[str, float]]:
    return [{"step": 10 * (i + 1), "phase": "train", "critic/loss": float(v)} for i, v in enumerate(series)]


def test_a_swing_is_told_from_noise_from_a_dying_swing_and_from_a_drift():
    t = np.arange(400)
    noise = np.random.default_rng(0).normal(size=400)
    swing = rotation(log(np.sin(2 * np.pi * t / 50) + 0.3 * noise))
    assert swing.found and swing.evidence["period"] == pytest.approx(50, rel=0.15)
    assert "every" in swing.says
    for healthy in (noise, np.cumsum(noise) * 0 + t / 400 + noise, np.sin(2 * np.pi * t / 50) * np.exp(-t / 60.0)):
        assert rotation(log(healthy)).found is False
    assert rotation(log(noise[:20])).found is None


def test_a_discriminator_that_knows_its_rows_is_found():
    class Knows(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(1.0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.scale * x.flatten(1)[:, 0]

    rng = np.random.default_rng(0)
    x, same, other = (rng.normal(m, 1.0, (300, 2)).astype(np.float32) for m in (0.0, 0.0, -1.0))
    model = tacit.GAN(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(8,))).fit(x, steps=1)
    model.nets._modules["D"] = Knows()
    real = model.spec.prepare(x)
    assert memorising(model, real, same, 300, 0).found is False
    f = memorising(model, real, other, 300, 0)
    area = roc_auc_score(np.repeat([1, 0], 300), np.concatenate([x[:, 0], other[:, 0]]))
    assert f.found and f.evidence["area"] == pytest.approx(area)
    assert memorising(model, real, None, 300, 0).found is None


def test_every_fault_has_a_cure_and_healthy_ones_are_not_cured():
    model = tacit.GAN(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(8,))).fit("ring8", steps=5)
    for f in diagnose(model, "ring8", rows=400):
        assert f.fault in CURES and bool(f.to_json()["cure"]) is bool(f.found)


def test_systems_without_a_discriminator_are_refused():
    with pytest.raises(tacit.NotSupported, match="asks for a GAN"):
        diagnose(tacit.VAE(latent_dim=2).fit("digits", steps=2), "digits")


def test_the_command_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    x = make_pictures(80)
    np.save(tmp_path / "x.npy", x)
    tacit.GAN(prior=tacit.Gaussian(2), networks=tacit.MLP(widths=(8,))).fit(str(tmp_path / "x.npy"), steps=20, run=tmp_path / "run")
    out = tmp_path / "page.html"
    assert main(["diagnose", str(tmp_path / "run"), "--held-out", str(tmp_path / "x.npy"), "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["findings"]
    assert [f["fault"] for f in told] == list(CURES) and told[3]["evidence"]["area"] == pytest.approx(0.5)
    page = out.read_text(encoding="utf-8")
    assert "What helps" in page or not any(f["found"] for f in told)
    assert "data:image/" in page
    assert main(["diagnose", str(tmp_path / "nowhere")]) == 2
