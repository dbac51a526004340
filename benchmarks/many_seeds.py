"""Many seeds of a small game at once: stacked weights through torch.func, and processes, against one after another.

A small MLP game is dominated by dispatch, not by arithmetic. Stacked: every weight has a leading axis of seeds, the losses are
vmapped, one fused Adam moves all. Both loops are bare, of the same networks, updates and rows a step. Ratio 3 means that stacked
seeds take a third of the time; "processes" is wall time of the library's own fits, two at a time against one at a time.

    python benchmarks/many_seeds.py [--quick] [-o results.json]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
from harness import Report, arguments, interleave, ratio
from torch import Tensor, nn
from torch.nn.functional import softplus

import tacit

SEEDS, BATCH, LATENT, WIDTH = 6, 120, 2, 128


def networks() -> tuple[nn.Module, nn.Module]:
    mlp, spec = tacit.networks.MLP(widths=(WIDTH, WIDTH)), tacit.data.Spec(shape=(2,), kind="vector")
    return mlp.generator(tacit.Gaussian(LATENT), spec), mlp.critic(spec)


def losses(G: Callable[[Tensor], Tensor], D: Callable[[Tensor], Tensor], x: Tensor, z: Tensor) -> tuple[Tensor, Callable[[], Tensor]]:
    with torch.no_grad():
        fake = G(z)
    return softplus(-D(x)).mean() + softplus(D(fake)).mean(), lambda: softplus(-D(G(z))).mean()


class OneByOne:
    """Each seed by itself."""

    def __init__(self, data: Tensor):
        self.data = data
        self.games = [networks() for _ in range(SEEDS)]
        self.rules = [[torch.optim.Adam(n.parameters(), lr=1e-4, fused=True) for n in game] for game in self.games]

    def __call__(self, steps: int) -> None:
        for (G, D), (rule_g, rule_d) in zip(self.games, self.rules, strict=True):
            for _ in range(steps):
                x = self.data[torch.randint(len(self.data), (BATCH,))]
                z = torch.randn(BATCH, LATENT)
                paid, later = losses(G, D, x, z)
                paid.backward(inputs=list(D.parameters()))
                rule_d.step()
                rule_d.zero_grad()
                later().backward(inputs=list(G.parameters()))
                rule_g.step()
                rule_g.zero_grad()


class Stacked:
    """All seeds at once."""

    def __init__(self, data: Tensor):
        self.data = data
        games = [networks() for _ in range(SEEDS)]
        self.base = games[0]
        stacked = [torch.func.stack_module_state([g[i] for g in games])[0] for i in (0, 1)]
        self.weights = [{k: v.detach().requires_grad_() for k, v in w.items()} for w in stacked]
        self.rules = [torch.optim.Adam(w.values(), lr=1e-4, fused=True) for w in self.weights]

    def run(self, i: int) -> Callable[[Tensor], Tensor]:
        base = self.base[i]
        return lambda x: torch.func.vmap(lambda w, t: torch.func.functional_call(base, w, (t,)))(self.weights[i], x)

    def __call__(self, steps: int) -> None:
        G, D = self.run(0), self.run(1)
        for _ in range(steps):
            x = self.data[torch.randint(len(self.data), (SEEDS, BATCH))]
            z = torch.randn(SEEDS, BATCH, LATENT)
            paid, later = losses(G, D, x, z)
            # The mean over seeds and rows: times the seeds, each seed has the gradient that it has by itself.
            (paid * SEEDS).backward(inputs=list(self.weights[1].values()))
            self.rules[1].step()
            self.rules[1].zero_grad()
            (later() * SEEDS).backward(inputs=list(self.weights[0].values()))
            self.rules[0].step()
            self.rules[0].zero_grad()


def fits(jobs: int, steps: int) -> float:
    from joblib import Parallel, delayed

    began = time.perf_counter()
    Parallel(n_jobs=jobs)(delayed(fit)(seed, steps) for seed in range(SEEDS))
    return time.perf_counter() - began


def fit(seed: int, steps: int) -> None:
    torch.set_num_threads(1)
    system = tacit.GAN(prior=tacit.Gaussian(LATENT), networks=tacit.networks.MLP(widths=(WIDTH, WIDTH)))
    tacit.fit(system, "grid25", steps=steps, batch_size=BATCH, seed=seed, precision="float32", progress=False)


def main() -> None:
    args = arguments(__doc__ or "")
    report = Report("many_seeds", args)
    source = tacit.data.load("grid25")
    data = torch.as_tensor(source.read(0, source.n)).float()
    contenders = {"one by one": OneByOne(data), "stacked": Stacked(data)}
    rounds, chunk = args.rounds or (4 if args.quick else 15), 20 if args.quick else 60
    samples = interleave({k: partial(go, chunk) for k, go in contenders.items()}, rounds, args.clock)
    report.add(f"{SEEDS} seeds of an MLP GAN, 2×{WIDTH}, batch {BATCH}: one by one over stacked", ratio(samples, "one by one", "stacked"))
    steps = 300 if args.quick else 2000
    fits(2, 2)
    walls: dict[str, list[float]] = {"one at a time": [], "two at a time": []}
    for _ in range(1 if args.quick else 3):
        walls["one at a time"].append(fits(1, steps))
        walls["two at a time"].append(fits(2, steps))
    report.add(f"{SEEDS} fits of {steps} steps, wall: one at a time over two at a time", ratio(walls, "one at a time", "two at a time"))
    report.close()


if __name__ == "__main__":
    main()
