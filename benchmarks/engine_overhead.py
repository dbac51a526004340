"""What the engine costs: tacit.fit against a bare hand-written loop of the same networks and updates.

Both train the same architecture on the same data in memory, with fused Adam, in the same precision. The bare loop keeps
nothing: no log, no check for NaN, no schedule, no checkpoint. Ratio 1.05 means 5 % more.

    python benchmarks/engine_overhead.py [--quick] [-o results.json]
"""

from __future__ import annotations

from typing import Any

import torch
from harness import Report, against_engine, arguments, pictures, ratio
from torch import Tensor
from torch.nn.functional import softplus

import tacit


class Bare:
    """The shortest correct loop of a non-saturating GAN that a careful person writes."""

    def __init__(self, system: tacit.GAN, data: Any, batch: int, precision: str):
        source = tacit.data.load(data)
        spec = tacit.data.Spec.learn(source)
        self.data = spec.prepare(source.read(0, source.n))
        self.batch, self.latent, self.bf16 = batch, system.prior.dim, precision == "bf16"
        torch.manual_seed(0)
        nets = system.nets(spec)
        self.G, self.D = nets["G"].train(), nets["D"].train()
        made = {"lr": 2e-4, "betas": (0.5, 0.999), "fused": True}
        self.opt_g, self.opt_d = torch.optim.Adam(self.G.parameters(), **made), torch.optim.Adam(self.D.parameters(), **made)
        self.weights_g, self.weights_d = list(self.G.parameters()), list(self.D.parameters())
        self.order, self.at = torch.randperm(len(self.data)), 0

    def next(self) -> Tensor:
        if self.at + self.batch > len(self.data):
            self.order, self.at = torch.randperm(len(self.data)), 0
        x = self.data[self.order[self.at : self.at + self.batch]]
        self.at += self.batch
        return x

    def __call__(self, steps: int) -> None:
        for _ in range(steps):
            x = self.next()
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                with torch.no_grad():
                    fake = self.G(torch.randn(self.batch, self.latent))
                loss = softplus(-self.D(x)).mean() + softplus(self.D(fake)).mean()
            loss.backward(inputs=self.weights_d)
            self.opt_d.step()
            self.opt_d.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                loss = softplus(-self.D(self.G(torch.randn(self.batch, self.latent)))).mean()
            loss.backward(inputs=self.weights_g)
            self.opt_g.step()
            self.opt_g.zero_grad()


def main() -> None:
    args = arguments(__doc__ or "")
    report = Report("engine_overhead", args)
    rounds = args.rounds or (5 if args.quick else 40)
    mlp = tacit.GAN(prior=tacit.Gaussian(2), networks=tacit.networks.MLP(widths=(128, 128)))
    dcgan = tacit.DCGAN(prior=tacit.Gaussian(64))
    images = pictures()
    bf16 = tacit.engine.precision.has_bf16(torch.device("cpu"))
    cases = [("MLP GAN, ring8, 2×128, batch 128", mlp, "ring8", 128, 100, ("float32",))]
    cases += [("DCGAN, 28 px, width 64, batch 64", dcgan, images, 64, 4, ("float32", "bf16") if bf16 else ("float32",))]
    for name, system, data, batch, chunk, precisions in cases:
        for p in precisions:
            bare = Bare(system, data, batch, p)
            many = max(rounds // 2, 5) if chunk < 10 else rounds
            samples = against_engine(
                system, data, {"bare": bare}, chunk=chunk, rounds=many, clock=args.clock, log_every=min(chunk, 20),
                batch_size=batch, precision=p, device="cpu",
            )  # fmt: skip
            report.add(f"{name}, {p}", ratio(samples, "tacit", "bare"))
    report.close()


if __name__ == "__main__":
    main()
