"""A whole training step against the textbook script: float32, unfused Adam, zero_grad and backward, a DataLoader.

The textbook script is what a tutorial writes: the same layers in PyTorch's default layout, ``DataLoader`` over a
``TensorDataset``, ``torch.optim.Adam`` as it comes. DCGAN reuses its fakes for the generator, as PyTorch's tutorial does.
Tacit runs as it comes too: ``precision="auto"``, fused updates, channels-last pictures, data kept prepared. The ratio is the
textbook's time over Tacit's: 2 means that Tacit takes half as long.

    python benchmarks/textbook.py [--quick] [-o results.json]
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from harness import Report, against_engine, arguments, pictures, ratio
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.utils.data import DataLoader, TensorDataset

import tacit
from tacit.networks.dcgan import ChannelsLast


class Textbook:
    """Data, networks and optimisers as a tutorial sets them up; ``step`` is each script's own."""

    lr, betas = 2e-4, (0.5, 0.999)

    def __init__(self, system: Any, data: Any, batch: int):
        source = tacit.data.load(data)
        spec = tacit.data.Spec.learn(source)
        rows = TensorDataset(spec.prepare(source.read(0, source.n)))
        self.loader = DataLoader(rows, batch_size=batch, shuffle=True, drop_last=True)
        self.rows: Iterator[Any] = iter(self.loader)
        self.batch, self.system = batch, system
        torch.manual_seed(0)
        self.nets = {k: _plain(m) for k, m in system.nets(spec).items()}
        self.setup()

    def adam(self, *names: str) -> torch.optim.Adam:
        return torch.optim.Adam([p for n in names for p in self.nets[n].parameters()], lr=self.lr, betas=self.betas)

    def next(self) -> Tensor:
        try:
            return next(self.rows)[0]
        except StopIteration:
            self.rows = iter(self.loader)
            return next(self.rows)[0]

    def __call__(self, steps: int) -> None:
        for _ in range(steps):
            self.step()

    def setup(self) -> None:
        raise NotImplementedError

    def step(self) -> None:
        raise NotImplementedError


def _plain(net: nn.Module) -> nn.Module:
    """The same layers and weights in PyTorch's default memory layout."""
    net = copy.deepcopy(net).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, ChannelsLast):
                setattr(parent, name, nn.Identity())
    return net.train()


class TextbookVAE(Textbook):
    lr, betas = 1e-3, (0.9, 0.999)

    def setup(self) -> None:
        self.opt = self.adam("E", "D")

    def step(self) -> None:
        x = self.next()
        mu, log_var = self.nets["E"](x).chunk(2, 1)
        z = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
        likelihood = bce(self.nets["D"].decoder(z), x, reduction="sum") / len(x)
        loss = likelihood - 0.5 * (1 + log_var - mu.pow(2) - log_var.exp()).sum() / len(x)
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()


class TextbookGAN(Textbook):
    def setup(self) -> None:
        self.opt_g, self.opt_d = self.adam("G"), self.adam("D")

    def step(self) -> None:
        G, D, x = self.nets["G"], self.nets["D"], self.next()
        ones, zeros = torch.ones(len(x)), torch.zeros(len(x))
        self.opt_d.zero_grad()
        bce(D(x), ones).backward()
        fake = G(torch.randn(len(x), self.system.prior.dim))
        bce(D(fake.detach()), zeros).backward()
        self.opt_d.step()
        self.opt_g.zero_grad()
        bce(D(fake), ones).backward()
        self.opt_g.step()


class TextbookWGANGP(Textbook):
    lr, betas = 1e-4, (0.0, 0.9)

    def setup(self) -> None:
        self.opt_g, self.opt_d = self.adam("G"), self.adam("D")

    def step(self) -> None:
        G, D = self.nets["G"], self.nets["D"]
        for _ in range(5):
            x = self.next()
            fake = G(torch.randn(len(x), self.system.prior.dim)).detach()
            eps = torch.rand(len(x), 1, 1, 1)
            mixed = (eps * x + (1 - eps) * fake).requires_grad_(True)
            (g,) = torch.autograd.grad(D(mixed).sum(), mixed, create_graph=True)
            penalty = 10 * (g.flatten(1).norm(2, dim=1) - 1).pow(2).mean()
            loss = D(fake).mean() - D(x).mean() + penalty
            self.opt_d.zero_grad()
            loss.backward()
            self.opt_d.step()
        loss = -D(G(torch.randn(self.batch, self.system.prior.dim))).mean()
        self.opt_g.zero_grad()
        loss.backward()
        self.opt_g.step()


def main() -> None:
    args = arguments(__doc__ or "")
    report = Report("textbook", args)
    images = pictures()
    conv = tacit.networks.DCGAN(width=64)
    cases = [
        ("MLP VAE, 28 px, 512-512, batch 128", tacit.VAE(), TextbookVAE, 128, 20),
        ("DCGAN, 28 px, width 64, batch 64", tacit.DCGAN(), TextbookGAN, 64, 3),
        ("WGAN-GP, 28 px, DCGAN width 64, batch 64", tacit.WGANGP(networks=conv), TextbookWGANGP, 64, 1),
    ]
    for name, system, script, batch, chunk in cases:
        rounds = args.rounds or (3 if args.quick else 15)
        textbook = script(system, images, batch)
        samples = against_engine(
            system, images, {"textbook": textbook}, chunk=chunk, rounds=rounds, clock=args.clock, log_every=min(chunk, 20),
            batch_size=batch, device="cpu",
        )  # fmt: skip
        report.add(name, ratio(samples, "textbook", "tacit"))
    report.close()


if __name__ == "__main__":
    main()
