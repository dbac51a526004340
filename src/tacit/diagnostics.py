"""How a game stands: its joint field's spectrum and size, who takes whose samples for real, what a better answer would gain.

Everything works on copies: neither the model nor the caller's random numbers are touched.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigs
from torch import Tensor, nn

from tacit import data
from tacit.core.field import Field
from tacit.core.game import Phase, Player, Round, System, Terms, Turn, played
from tacit.core.nets import Nets
from tacit.core.parts import Objective
from tacit.core.rng import Rng
from tacit.engine import fit, sources_of
from tacit.engine.run import doubled
from tacit.errors import InputError, NotSupported, suggest
from tacit.metrics.figure import Figure, mean_figure
from tacit.model import Model

EXACT = 4096
"""The most weights whose Jacobian is taken as a whole."""


# ---------------------------------------------------------------------- the field


def joint(
    model: Model, X: Any, players: Sequence[str] = (), *, rows: int = 256, rounds: int = 1, seed: int = 0, progress: float = 1.0
) -> Field:
    """The field v = (∂L_1/∂θ_1, …, ∂L_k/∂θ_k) of a model's last game at its weights, in float64, on rows drawn from ``X``.

    Networks are as in training (batch statistics), on a copy. A penalty that is computed every few steps counts with the weight
    of the step at which it is due.

    Args:
        model: a fitted model.
        X: data, as for ``fit``.
        players: whose gradients; all that descend a loss in the last phase with turns, where none are named.
        rows, rounds: rows of a round, and rounds that are averaged.
        seed: of rows and noise.
        progress: where in the phase annealed terms are taken, 0 … 1.

    Raises:
        InputError: a player that does not play, or data that the model cannot read.

    >>> import numpy as np, tacit
    >>> from tacit import diagnostics
    >>> game = tacit.GAN(networks=tacit.networks.Dirac(theta=0.0, psi=0.0), prior=tacit.Gaussian(1), penalty=tacit.GradientNorm(1.0))
    >>> model = game.fit(np.zeros((4, 1)), steps=1)
    >>> diagnostics.spectrum(diagnostics.joint(model, np.zeros((4, 1)), rows=4)).round(6)
    array([-0.5+0.j, -0.5+0.j])
    """
    n = _copy(model, torch.float64)
    chosen = [p for p in _descending(model.system) if not players or p.name in players]
    known = [p.name for p in _descending(model.system)]
    for name in players:
        if name not in known:
            raise InputError(
                f"{type(model.system).__name__} has no player '{name}' with a loss in its last phase{suggest(name, known) or ';'} "
                f"expected some of: {', '.join(known)}; mend the name"
            )
    drawn = _rounds(model, n, X, rows, rounds, seed, chosen[0].name, progress)
    field = Field(model.system, n, chosen, drawn)
    field._foreign = n.buffers()
    return field


def norms(field: Field) -> dict[str, float]:
    """‖v_i‖ of every player, in units of its loss per unit of weight.

    >>> import numpy as np, tacit
    >>> from tacit import diagnostics
    >>> game = tacit.GAN(networks=tacit.networks.Dirac(theta=2.0, psi=0.0), prior=tacit.Gaussian(1), rule=tacit.SGD(1e-9))
    >>> model = game.fit(np.zeros((4, 1)), steps=1, precision="float64")
    >>> {k: round(v, 3) for k, v in diagnostics.norms(diagnostics.joint(model, np.zeros((4, 1)))).items()}
    {'critic': 1.0, 'generator': 0.0}
    """
    with torch.no_grad():
        values, found, at = field(), {}, 0
    for name, group in zip(field.names, field.weights, strict=True):
        own = values[at : at + len(group)]
        at += len(group)
        found[name] = float(sum(g.square().sum() for g in own) ** 0.5)
    return found


def spectrum(field: Field, k: int | None = None, *, gamma: float = 0.0, which: str = "LR", seed: int = 0) -> np.ndarray:
    """Eigenvalues of the flow's Jacobian, θ' = −v(θ): play settles at a point where all real parts are negative.

    A simultaneous step of length h multiplies a deviation along an eigenvector by 1 + hλ, so that it shrinks where
    h < −2·Re λ/|λ|². The whole spectrum is exact; the leading part is ARPACK's, by products with the Jacobian.

    Args:
        field: of :func:`joint`.
        k: the number of leading eigenvalues; None for all, of at most 4,096 weights.
        gamma: the spectrum under consensus, v + γ·∇½‖v‖², instead (Mescheder et al. 2017, arXiv:1705.10461).
        which: what leads: ``LR`` the largest real parts, ``LM`` the largest sizes, ``LI`` the largest imaginary parts.
        seed: of ARPACK's start.

    Returns:
        Complex ``(k,)``, by falling real part.

    Raises:
        InputError: too many weights for all of it, or a k that is not in 1 … weights − 2.
    """
    weights = [w for ws in field.weights for w in ws]
    size = sum(w.numel() for w in weights)
    if k is None and size > EXACT:
        raise InputError(f"the game has {size} weights, too many for the whole spectrum; expected at most {EXACT}; give k")
    if k is not None and not 1 <= k <= size - 2:
        raise InputError(f"spectrum got k={k} for {size} weights; expected 1 to {size - 2}; leave k out for the whole spectrum")
    with torch.enable_grad(), field._visiting():
        flow = -_field(field, weights, gamma)
        if not flow.requires_grad:
            return np.zeros(k or size, dtype=np.complex128)
        if k is None:
            values = np.linalg.eigvals(_jacobian(flow, weights).cpu().numpy()).astype(np.complex128)
        else:
            # A matrix and its transpose have one spectrum.
            def product(u: np.ndarray) -> np.ndarray:
                return _product(flow, weights, torch.as_tensor(u.ravel()).to(flow)).cpu().numpy()

            start = np.random.default_rng(seed).normal(size=size)
            operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
            values = eigs(operator, k=k, which=which, v0=start, return_eigenvectors=False)
    return values[np.lexsort((-values.imag, -values.real))]


def _field(field: Field, weights: Sequence[Tensor], gamma: float) -> Tensor:
    """v as one vector, with its graph."""
    total: list[Tensor] = []
    for r in field.rounds:
        grads, _ = field.evaluate(r, create_graph=True)
        total = grads if not total else [a + b for a, b in zip(total, grads, strict=True)]
    v = [g / len(field.rounds) for g in total]
    if gamma:
        size = 0.5 * torch.stack([g.square().sum() for g in v]).sum()
        pull = torch.autograd.grad(size, weights, create_graph=True, allow_unused=True)
        v = [g if p is None else g + gamma * p for g, p in zip(v, pull, strict=True)]
    return torch.cat([g.reshape(-1) for g in v])


def _product(flow: Tensor, weights: Sequence[Tensor], u: Tensor, many: bool = False) -> Tensor:
    """Jᵀu, or a row of it for each row of u."""
    got = torch.autograd.grad(flow, weights, u, retain_graph=True, allow_unused=True, is_grads_batched=many)
    lead = u.shape[:-1] if many else ()
    flat = [w.new_zeros(*lead, w.numel()) if g is None else g.reshape(*lead, -1) for g, w in zip(got, weights, strict=True)]
    return torch.cat(flat, -1)


def _jacobian(flow: Tensor, weights: Sequence[Tensor]) -> Tensor:
    unit = torch.eye(len(flow), dtype=flow.dtype, device=flow.device)
    try:
        return torch.cat([_product(flow, weights, rows, many=True) for rows in unit.split(256)])
    except RuntimeError:
        # Some operations have no batched derivative; one row at a time is slower and always works.
        return torch.stack([_product(flow, weights, row) for row in unit])


# ---------------------------------------------------------------------- better answers


@dataclass(frozen=True, kw_only=True)
class Alone(System):
    """A game in which one player moves and all others stand still, θ_i ← θ_i − h·∂L_i/∂θ_i."""

    abstract: ClassVar[bool] = True
    game: System
    player: str

    @property
    def couples_batch(self) -> bool:
        return self.game.couples_batch

    def streams(self) -> tuple[str, ...]:
        return self.game.streams()

    def nets(self, spec: Any) -> dict[str, nn.Module]:
        return self.game.nets(spec)

    def memory(self, spec: Any) -> dict[str, Tensor]:
        return self.game.memory(spec)

    def draw(self, n: Nets, batch: Any, rng: Rng, memory: dict[str, Tensor]) -> Round:
        return self.game.draw(n, batch, rng, memory)

    def players(self) -> tuple[Player, ...]:
        return self.game.players()

    def losses(self, names: tuple[str, ...], n: Nets, r: Round) -> dict[str, Terms]:
        return played(self.game)(names, n, r)

    def after(self, memory: dict[str, Tensor], log: dict[str, Tensor]) -> dict[str, Tensor]:
        return self.game.after(memory, log)

    def phases(self) -> tuple[Phase, ...]:
        turn = _turn(self.game, self.player)
        rule = turn.rules[turn.names.index(self.player)] if len(turn.rules) > 1 else turn.rules[0]
        return (Phase(Turn(self.player, rule, draw=turn.draw), name="alone"),)


def respond(
    model: Model, X: Any, player: str, *, steps: int = 500, fresh: bool = False, rule: Any = None, **options: Any
) -> Model:
    """Let one player move on while all others stand still: an approximate best response, as a model.

    Args:
        model: a fitted model; it stays as it is.
        X: data, as for ``fit``.
        player: who moves, by its own rule.
        steps: its updates.
        fresh: whether it starts from new weights (of ``seed``) rather than its own.
        rule: another rule for it.
        **options: of ``fit`` (seed, batch_size, precision, callbacks …).

    Raises:
        InputError: a player that does not play; a run folder.

    >>> import numpy as np, tacit
    >>> from tacit import diagnostics
    >>> game = tacit.GAN(networks=tacit.networks.Dirac(), prior=tacit.Gaussian(1))
    >>> answer = diagnostics.respond(game.fit(np.zeros((4, 1)), steps=1), np.zeros((4, 1)), "critic", steps=10, rule=tacit.SGD(0.1))
    >>> answer.log[-1]["critic/loss"] < answer.log[0]["critic/loss"]
    True
    """
    system = model.system
    known = {p.name: p for p in _descending(system)}
    if player not in known:
        raise InputError(
            f"{type(system).__name__} has no player '{player}' with a loss in its last phase{suggest(player, known) or ';'} "
            f"expected one of: {', '.join(known)}; mend the name"
        )
    if options.get("run") is not None:
        raise InputError(f"respond got run={options['run']!r}; expected none, since the game is played by one alone; save what it returns")
    n = _copy(model)
    if fresh:
        with torch.random.fork_rng():
            torch.manual_seed(options.get("seed", 0))
            new = Nets(system.nets(model.spec))
        for name in known[player].owns:
            n.modules()[name].load_state_dict(new.modules()[name].state_dict())
    alone = _Ruled(game=system, player=player, rule=rule) if rule is not None else Alone(game=system, player=player)
    start = Model(alone, model.spec, n)
    ema = {"ema": 0.0} | options
    return _as(system, fit(start, X, steps=steps, **ema))


@dataclass(frozen=True, kw_only=True)
class _Ruled(Alone):
    abstract: ClassVar[bool] = True
    rule: Any

    def phases(self) -> tuple[Phase, ...]:
        return (Phase(Turn(self.player, self.rule, draw=_turn(self.game, self.player).draw), name="alone"),)


def exploitability(
    model: Model, X: Any, *, steps: int = 500, rows: int = 256, rounds: int = 16, seed: int = 0, rules: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Figure]:  # fmt: skip
    """What each player would gain by moving on alone: L_i(θ) − L_i(θ_i after ``steps``, the others as they are), and the sum.

    At an equilibrium nobody gains. The sum is the duality gap of a zero-sum game (Nikaido & Isoda's function), estimated from
    below: ``steps`` updates from where the player stands are not the best response itself.

    Args:
        model, X: a fitted model and data, as for ``fit``.
        steps: updates of each player.
        rows, rounds: the losses are compared on so many rounds of so many rows, the same before and after.
        seed: of those, and of the updates.
        rules: other rules, by player.
        **options: of ``fit``.

    Returns:
        A figure for each player, in units of its loss, with its standard error over rounds; and ``total``.

    >>> import numpy as np, tacit
    >>> from tacit import diagnostics
    >>> game = tacit.GAN(networks=tacit.networks.Dirac(theta=0.0, psi=0.0), prior=tacit.Gaussian(1))
    >>> float(diagnostics.exploitability(game.fit(np.zeros((4, 1)), steps=1), np.zeros((4, 1)), steps=10)["total"])
    0.0
    """
    found: dict[str, Figure] = {}
    total = np.zeros(rounds)
    for player in _descending(model.system):
        rule = (rules or {}).get(player.name)
        better = respond(model, X, player.name, steps=steps, seed=seed, rule=rule, **options)
        gains = []
        for at in (model, better):
            n = _copy(at, torch.float64)
            drawn = _rounds(model, n, X, rows, rounds, seed + 1, player.name, 1.0)
            gains.append(np.array([_loss(model.system, player, n, r) for r in drawn]))
        gain = gains[0] - gains[1]
        total += gain
        found[player.name] = mean_figure(gain)
    return found | {"total": mean_figure(total)}


def _loss(system: System, player: Player, n: Nets, r: Round) -> float:
    kept = [b.clone() for b in n.buffers()]
    # Penalties differentiate inside the loss.
    with torch.enable_grad():
        value = sum(float(v.detach()) for v in player.summed(played(system)((player.name,), n, r)[player.name]))
    with torch.no_grad():
        for b, v in zip(n.buffers(), kept, strict=True):
            b.copy_(v)
    return value


# ---------------------------------------------------------------------- who takes whom for real


@dataclass(frozen=True)
class CrossTest:
    """Shares of rows that each discriminator takes for real.

    Attributes:
        names: of the models.
        fakes: ``fakes[i][j]``, of G_j's samples by D_i: its own on the diagonal.
        real: ``real[i]``, of the data by D_i.
    """

    names: tuple[str, ...]
    fakes: tuple[tuple[Figure, ...], ...]
    real: tuple[Figure, ...]

    def table(self) -> np.ndarray:
        """The shares of ``fakes``, ``(k, k)``, rows by discriminator."""
        return np.array([[float(f) for f in row] for row in self.fakes])

    def __str__(self) -> str:
        width = max(len(n) for n in self.names) + 2
        head = " " * (width + 2) + "".join(f"{'G ' + n:>{width + 4}}" for n in self.names) + f"{'data':>{width + 4}}"
        lines = [
            f"{'D ' + n:<{width + 2}}" + "".join(f"{float(f):>{width + 4}.4f}" for f in (*row, own))
            for n, row, own in zip(self.names, self.fakes, self.real, strict=True)
        ]
        return "\n".join([head, *lines])


def cross_test(models: Mapping[str, Model], X: Any, *, n: int = 10_000, seed: int = 0) -> CrossTest:
    """Which share of G_j's samples, and of the data, does D_i take for real? (Roth et al. 2017, arXiv:1705.09367, section 4).

    Over logits a row is real above 0; over values and energies, on the side of the data of the midpoint between D_i's means on
    data and on its own samples.

    Args:
        models: fitted adversarial models of the same data, by name.
        X: data, as for ``fit``: up to ``n`` rows of it.
        n: samples of every generator.
        seed: of the samples.

    Raises:
        NotSupported: a system without a discriminator of rows, or that cannot sample.

    >>> import numpy as np, tacit
    >>> from tacit import diagnostics
    >>> at = lambda theta, psi: tacit.GAN(networks=tacit.networks.Dirac(theta, psi), prior=tacit.Gaussian(1), rule=tacit.SGD(1e-9))
    >>> two = {k: at(*v).fit(np.zeros((4, 1)), steps=1) for k, v in {"a": (1.0, -0.5), "b": (-1.0, -0.5)}.items()}
    >>> diagnostics.cross_test(two, np.zeros((4, 1)), n=10).table().tolist()
    [[0.0, 1.0], [0.0, 1.0]]
    """
    samples = {k: torch.as_tensor(m.sample(n, seed=seed, raw=False)) for k, m in models.items()}
    fakes, real = [], []
    for name, model in models.items():
        verdict = getattr(model.system, "verdict", None)
        if verdict is None:
            raise NotSupported(f"{type(model.system).__name__} has no discriminator of rows; cross-testing asks for a GAN; take one")
        source = model.source(X)
        rows = model.spec.prepare(source.read(0, min(source.n, n)))

        def outputs(x: Tensor, model: Model = model, verdict: Callable[..., Tensor] = verdict) -> np.ndarray:
            like = (model._device(), model._dtype())
            with torch.no_grad():
                return torch.cat([verdict(model.nets, part.to(*like)) for part in x.split(1024)]).double().cpu().numpy()

        own, mine = outputs(rows), outputs(samples[name])
        logit = getattr(getattr(model.system, "objective", None), "output", "logit") == "logit"
        edge = 0.0 if logit else (own.mean() + mine.mean()) / 2
        sign = 1.0 if logit or own.mean() >= mine.mean() else -1.0
        real.append(mean_figure(sign * own > sign * edge, 0.0, 1.0))
        fakes.append(tuple(mean_figure(sign * outputs(s) > sign * edge, 0.0, 1.0) for s in samples.values()))
    return CrossTest(tuple(models), tuple(fakes), tuple(real))


# ---------------------------------------------------------------------- vanishing gradients


@dataclass(frozen=True)
class Vanishing:
    """What G learns from a discriminator that is trained while G stands still.

    Attributes:
        steps: D's updates, ``(k,)``.
        error: D's error on data and samples, in [0, ½], ``(k,)``.
        loss: what D minimises, ``(k,)``.
        norms: by objective, ‖E g‖ of G's gradient, ``(k,)``.
        spread: by objective, the root mean squared distance of a round's gradient to that mean, ``(k,)``.
    """

    steps: np.ndarray
    error: np.ndarray
    loss: np.ndarray
    norms: dict[str, np.ndarray]
    spread: dict[str, np.ndarray]

    def decades(self, name: str) -> float:
        """Powers of ten by which the gradient falls, from its largest reading to the last."""
        values = np.maximum(self.norms[name], np.finfo(np.float64).tiny)
        return float(np.log10(values.max() / values[-1]))


def vanishing(
    model: Model, X: Any, objectives: Mapping[str, Objective] | None = None, *, steps: int = 4000, readings: int = 20,
    rows: int = 256, rounds: int = 4, seed: int = 0, **options: Any,
) -> Vanishing:  # fmt: skip
    """Freeze G, train a new D, and watch D's error and the size of G's gradient (Arjovsky & Bottou 2017, arXiv:1701.04862, section 2).

    Where the supports of data and samples hardly meet, D's error goes to 0 and with it the gradient of log(1 − D(G(z))); that of
    −log D(G(z)) does not vanish but scatters.

    Args:
        model, X: a fitted adversarial model, and data.
        objectives: whose gradients of G are measured, by name; the model's own where none are given.
        steps, readings: D's updates, and how often it is looked at, ever more rarely.
        rows, rounds: a gradient is the mean of so many rounds of so many rows.
        seed: of D's weights and of all noise.
        **options: of ``fit``.

    Raises:
        NotSupported: a system without an objective or a discriminator of rows.
    """
    system = model.system
    if not hasattr(system, "objective") or not hasattr(system, "verdict"):
        raise NotSupported(f"{type(system).__name__} has no objective over a discriminator of rows; expected a GAN; take one")
    game: Any = system
    paid = {k: replace(game, objective=o) for k, o in (objectives or {"own": game.objective}).items()}
    logit = game.objective.output == "logit"
    taken: list[tuple[int, float, float, dict[str, tuple[float, float]]]] = []

    wanted = {int(s) for s in np.geomspace(1, steps, readings).round()}

    def look(state: dict[str, Any]) -> None:
        if state["step"] not in wanted:
            return
        n = _copy(Model(system, model.spec, state["nets"]), torch.float64)
        drawn = _rounds(model, n, X, rows, rounds, seed + 1, "generator", 1.0)
        sizes = {k: _gradient(game, n, drawn) for k, game in paid.items()}
        x = torch.cat([r.x for r in drawn])
        with torch.no_grad():
            fake = game.sample(n, len(x), _rng(n, seed + 2))
            real_out, fake_out = (game.verdict(n.train(False), t) for t in (x, fake))
        n.train()
        edge = 0.0 if logit else float(real_out.mean() + fake_out.mean()) / 2
        wrong = ((real_out <= edge).double().mean() + (fake_out > edge).double().mean()) / 2
        critic = next(p for p in system.players() if p.name == "critic")
        loss = float(np.mean([_loss(system, critic, n, r) for r in drawn]))
        taken.append((state["step"], float(wrong), loss, sizes))

    respond(model, X, "critic", steps=steps, fresh=True, seed=seed, callbacks=[look], log_every=1, **options)
    names = list(paid)
    return Vanishing(
        np.array([t[0] for t in taken]), np.array([t[1] for t in taken]), np.array([t[2] for t in taken]),
        {k: np.array([t[3][k][0] for t in taken]) for k in names}, {k: np.array([t[3][k][1] for t in taken]) for k in names},
    )  # fmt: skip


def _gradient(system: System, n: Nets, rounds: list[Round]) -> tuple[float, float]:
    """‖mean‖ of the generator's gradients over rounds, and their root mean squared distance to it."""
    player = next(p for p in system.players() if p.name == "generator")
    grads = []
    for r in rounds:
        field = Field(system, n, [player], [r])
        field._foreign = n.buffers()
        with torch.no_grad():
            grads.append(torch.cat([g.reshape(-1) for g in field()]))
    all_ = torch.stack(grads)
    mean = all_.mean(0)
    return float(mean.norm()), float((all_ - mean).square().sum(1).mean().sqrt())


# ---------------------------------------------------------------------- what they share


def _turn(system: System, player: str) -> Turn:
    phase = next(p for p in reversed(system.phases()) if p.turns)
    return next(t for t in phase.turns if player in t.names)


def _descending(system: System) -> list[Player]:
    """Players with a loss in the last phase that has turns."""
    phases = [p for p in system.phases() if p.turns]
    names = dict.fromkeys(name for t in phases[-1].turns for name in t.names) if phases else {}
    by_name = {p.name: p for p in system.players() if p.loss}
    found = [by_name[name] for name in names if name in by_name]
    if not found:
        raise NotSupported(f"{type(system).__name__} has no player that descends a loss; expected a game; take another system")
    return found


def _copy(model: Model, dtype: torch.dtype | None = None) -> Nets:
    modules = {k: copy.deepcopy(m) for k, m in model.nets.modules().items()}
    memory = {k: v.clone() for k, v in model.nets.memory.items()}
    if dtype is not None:
        modules = {k: m.to(dtype) for k, m in modules.items()}
        memory = {k: v.to(dtype) if v.is_floating_point() else v for k, v in memory.items()}
    return Nets(modules, memory).train()


def _as(system: System, model: Model) -> Model:
    return Model(system, model.spec, model.nets, model.info, model.log)


def _rng(n: Nets, seed: int) -> Rng:
    like = n.parameters()[0]
    rng = Rng(seed, like.device)
    rng.dtype = like.dtype
    return rng


def _rounds(model: Model, n: Nets, X: Any, rows: int, count: int, seed: int, player: str, progress: float) -> list[Round]:
    system, like = model.system, n.parameters()[0]
    sources = sources_of(system, X, {}, like=model.spec)
    for source in sources.values():
        model.spec.check(source)
    names = system.streams()
    if len(names) == 1:
        feed: Any = data.Feed(sources[names[0]], model.spec, rows, seed, device=like.device)
    else:
        feed = data.streams(sources, model.spec, rows, seed, device=like.device)
    draw, rng = _turn(system, player).draw or system.draw, _rng(n, seed)
    out = []
    for _ in range(count):
        batch = feed.next()
        r = draw(n, doubled(batch) if like.dtype == torch.float64 else batch, rng, n.memory)
        r.__dict__.update(memory=n.memory, step=0, progress=progress, size=feed.batch_size)
        out.append(r)
    return out
