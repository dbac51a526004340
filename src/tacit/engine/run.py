"""The training loop: phases, turns, precision, averages, checkpoints, signals, divergence."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import signal
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tacit.core.checks import check_declaration, check_losses
from tacit.core.game import Phase, Plateau, Round, System, Turn, World, played
from tacit.core.nets import Nets
from tacit.core.rng import Rng
from tacit.data import Batches
from tacit.engine import checkpoint, precision
from tacit.engine.averages import Averages
from tacit.engine.options import Options, interval
from tacit.engine.ranks import Ranks
from tacit.engine.readings import Journal, LastGood, waited
from tacit.engine.record import Record
from tacit.engine.signals import listening
from tacit.engine.state import collect, restore
from tacit.engine.turns import TurnState
from tacit.errors import Diverged, InputError, Interrupted

MakeFeed = Callable[[int, int], Any]
"""``(batch_size, seed) -> feed``."""


class Run:
    """One fit of one system. Built by :func:`tacit.fit` and :func:`tacit.resume`, which explain the arguments."""

    def __init__(
        self,
        system: System,
        spec: Any,
        options: Options,
        make_feed: MakeFeed,
        n_rows: int,
        ranks: Ranks,
        device: torch.device,
        folder: Path | None = None,
        config: dict[str, Any] | None = None,
        callbacks: Sequence[Callable[[dict[str, Any]], object]] = (),
        progress: Any = None,
        start_from: Nets | None = None,
    ):
        self.system, self.spec, self.options, self.ranks, self.device = system, spec, options, ranks, device
        self.make_feed, self.n_rows, self.folder, self.config = make_feed, n_rows, folder, config or {}
        self.callbacks, self.progress = list(callbacks), progress
        self.dtype = torch.float64 if options.precision == "float64" else torch.float32
        self.rng = Rng(options.seed + 1, device, ranks.rank, ranks.world)
        self.rule_rng = Rng(options.seed + 2, device)
        self.rng.dtype = self.rule_rng.dtype = self.dtype
        torch.manual_seed(options.seed)
        memory = {k: v.clone() for k, v in system.memory(spec).items()}
        self.nets = Nets(system.nets(spec), memory).to(device)
        if start_from is not None:
            self.nets.load_state(start_from.state())
            self.nets.memory.update({k: v.clone() for k, v in start_from.memory.items()})
        if self.dtype == torch.float64:
            for m in self.nets.modules().values():
                m.to(torch.float64)
            memory.update({k: v.double() for k, v in memory.items() if v.is_floating_point()})
        self.nets.train()
        torch.manual_seed(options.seed + 3 + ranks.rank)
        self.phases = tuple(system.phases())
        self.players = check_declaration(system, self.nets, self.phases)
        self.default_batch = min(options.batch_size or system.defaults.batch_size, n_rows)
        self.autocast: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext
        self.losses = played(system)
        decay = system.defaults.ema if options.ema is None else options.ema
        names = tuple(options.ema_networks or system.defaults.ema_networks or self.nets.names())
        for name in names:
            if name not in self.nets:
                raise InputError(
                    f"ema_networks names '{name}', which {type(system).__name__} does not have; "
                    f"expected some of: {', '.join(self.nets.names())}; mend the name"
                )
        self.averages = Averages(self.nets, names, decay) if decay else None
        self.total = options.steps or system.defaults.steps
        self.plan = _plan(self.phases, self.total)
        self.phase_index = self.step = self.done = 0
        self.precisions: dict[str, str] = {}
        self.journal = Journal(folder if ranks.first else None)
        self.last: dict[str, float] = {}
        self.losses_now: dict[str, float] = {}
        self.plateau: dict[str, Any] = {}
        self.elapsed = 0.0
        self.stopping: int | None = None
        self.status = "finished"
        self.estimate_s = self.cost_s = 0.0
        self.good = LastGood()
        self.watched: set[str] = set()
        self.opened = False
        self.board: Any = None

    @property
    def log(self) -> list[dict[str, Any]]:
        return self.journal.lines

    # ------------------------------------------------------------------ the fit

    def go(self, resumed: dict[str, Tensor] | None = None, state: dict[str, Any] | None = None) -> Nets:
        """Run all phases that are left; returns the networks to keep."""
        self.started = self.saved_at = time.monotonic()
        self.saved_step = 0
        try:
            with listening(self), torch.no_grad():
                while self.phase_index < len(self.phases):
                    self._phase(resumed, state)
                    resumed = state = None
                    self.phase_index += 1
                    self.step = 0
                    self._finish_averages()
        finally:
            if self.progress:
                self.progress.close()
            if self.board is not None:
                self.board.close()
        return self.nets

    def _phase(self, resumed: dict[str, Tensor] | None, state: dict[str, Any] | None) -> None:
        phase, steps = self.phases[self.phase_index], self.plan[self.phase_index]
        self._feed(phase)
        if phase.enter and resumed is None:
            self._enter(phase)
            if self.stopping is not None and self.ranks.world == 1:
                self._interrupted(save=False)
        if not phase.turns:
            return
        self.scale, self.plateau = 1.0, {}
        self._bind(phase)
        self._dry()
        if resumed is not None and state is not None:
            restore(self, resumed, state)
        elif self.options.max_minutes:
            steps = self._fit_budget(phase, steps)
        if self.progress:
            self.progress.start(sum(self.plan), self.done, phase.name, self.estimate_s)
        if self.folder is not None and resumed is None and self.phase_index == self._first_trained():
            self.open()
            self.save()
        self.good.keep(self.nets, self.done)
        if self.options.tensorboard and self.board is None and self.ranks.first:
            self.board = _board(self.folder)
        self._train(phase)
        self._flush(phase)
        if self.folder is not None and self.phase_index + 1 < len(self.phases):
            self.save()

    def rehearse(self) -> None:
        """Refuse what :meth:`go` would refuse before its first step, as far as no phase must be entered for it; train nothing."""
        with torch.no_grad():
            for index, phase in enumerate(self.phases):
                if phase.enter:
                    return
                self.phase_index = index
                self._feed(phase)
                if phase.turns:
                    self._bind(phase)
                    self._dry()

    def _feed(self, phase: Phase) -> None:
        batch = min(phase.batch or self.default_batch, self.n_rows)
        self.batch_size = batch
        if batch % (self.ranks.world * self.options.accumulate):
            raise InputError(
                f"a batch of {batch} rows cannot be split over {self.ranks.world} ranks × {self.options.accumulate} "
                f"micro-batches; expected a multiple of {self.ranks.world * self.options.accumulate}; change batch_size"
            )
        self.local = batch // self.ranks.world
        self.feed = self.make_feed(batch, self.options.seed + 1000 * self.phase_index)

    def _first_trained(self) -> int:
        return next(i for i, p in enumerate(self.phases) if p.turns)

    def _enter(self, phase: Phase) -> None:
        self.nets.train(False)
        world = World(self.feed, self.spec, self.rng, self.options.seed, self.ranks.mean_one, self.device)
        updates = phase.enter(self.nets, world) if phase.enter else None
        if updates:
            kept = {k: v.detach().to(self.device) for k, v in updates.items()}
            if self.dtype == torch.float64:
                kept = {k: v.double() if v.is_floating_point() else v for k, v in kept.items()}
            self.nets.memory.update(kept)
        self.nets.train()

    def _bind(self, phase: Phase) -> None:
        chosen = self.precisions.get(str(self.phase_index), self.options.precision)
        self.autocast = precision.context(chosen, self.device)
        self.turns = [TurnState(t, self, self.players) for t in phase.turns]

    def _draw(self, step: int, steps: int, turn: Turn | None = None) -> Round:
        batch = self.feed.next()
        if self.dtype == torch.float64:
            batch = doubled(batch)
        draw = turn.draw if turn and turn.draw else self.system.draw
        r = draw(self.nets, batch, self.rng, self.nets.memory)
        r.__dict__.update(memory=self.nets.memory, step=step, progress=step / steps, size=self.local)
        return r

    def _dry(self) -> None:
        """Refuse before the first step what cannot train; choose the precision; estimate the cost."""
        kept = (self.feed.state(), self.rng.state(), self.rule_rng.state(), torch.get_rng_state())
        buffers = self.nets.buffers()
        buffer_values = [b.clone() for b in buffers]
        for t in self.turns:
            r = self._draw(0, max(self.plan[self.phase_index], 1), t.turn)
            t.field.rounds = r.split(self.options.accumulate, self.local)
            if t.trains:
                with self.autocast():
                    terms = check_losses(self.system, self.nets, t.players, t.field.rounds[0], self.losses)
                t.keys = [f"{p}/{k}" for p, ts in terms.items() for k in ts]
                self.watched |= {f"{p.name}/{k}" for p in t.players for k in p.logs}
                seen = t.field.watch(t.field.rounds[0])
                self.watched |= {f"{p}/{k}" for p, ts in seen.items() for k in ts}
                t.keys += [f"{p}/{k}" for p, ts in seen.items() for k in ts]
        key = str(self.phase_index)
        trained = [t for t in self.turns if t.trains]
        if key not in self.precisions:
            self.precisions[key] = self._choose(trained)
        chosen = precision.context(self.precisions[key], self.device)
        self.autocast = chosen
        for t in self.turns:
            t.field.autocast = chosen
        if buffers:
            torch._foreach_copy_(buffers, buffer_values)
        self.feed.load_state(kept[0])
        self.rng.load_state(kept[1])
        self.rule_rng.load_state(kept[2])
        torch.set_rng_state(kept[3])
        every = self.options.log_every or min(max(self.total // 500, 1), 100)
        self.record = Record([t.keys for t in self.turns], every, self.device)

    def _choose(self, trained: list[TurnState]) -> str:
        """Time one step in float32 and, where the hardware has it, in bf16; keep the faster."""
        choices = [self.options.precision]
        if self.options.precision == "auto":
            choices = ["float32", "bf16"] if precision.has_bf16(self.device) else ["float32"]
        # The first rank alone has a display; all must measure, or none.
        measured = self.ranks.agree(float(bool(self.progress or self.options.max_minutes)))
        if len(choices) == 1 and not measured:
            return choices[0]
        costs = {}
        for choice in choices:
            context = precision.context(choice, self.device)
            cost = 0.0
            for t in trained:
                t.field.autocast = context
                cost += precision.timed(t.field, self.device) * self._mean_times(t.turn) / t.turn.every
            costs[choice] = cost
        best = min(costs, key=lambda c: costs[c])
        self.cost_s = self.ranks.agree(costs[best] * 1.2)
        best = choices[int(self.ranks.agree(choices.index(best)))]
        self.estimate_s = self.cost_s * self.plan[self.phase_index]
        return best

    def _mean_times(self, turn: Turn) -> float:
        """Mean repetitions of a turn over the steps of this phase."""
        steps = max(self.plan[self.phase_index], 1)
        return sum(turn.repetitions(s) for s in range(steps)) / steps if callable(turn.times) else turn.times

    def _fit_budget(self, phase: Phase, steps: int) -> int:
        """Fewer steps, where the time budget asks for it, so that schedules still end where they should."""
        assert self.options.max_minutes
        left = self.options.max_minutes * 60 - (time.monotonic() - self.started)
        ahead = sum(self.plan[self.phase_index :])
        share = left * steps / max(ahead, 1)
        fits = max(int(share / max(self.cost_s, 1e-9)), 1)
        if fits < steps:
            self.plan[self.phase_index] = steps = int(self.ranks.agree(fits))
            self.estimate_s = self.cost_s * steps
        return steps

    def _train(self, phase: Phase) -> None:
        steps = self.plan[self.phase_index]
        after = type(self.system).after is not System.after
        unit, gap = interval(self.options.checkpoint_every)
        deadline = self.started + self.options.max_minutes * 60 if self.options.max_minutes else math.inf
        due = False
        while self.step < steps and not self._plateau_over(phase):
            progress = self.step / steps
            row = self.record.filled
            for i, t in enumerate(self.turns):
                turn = t.turn
                if self.step % turn.every or (turn.when and not turn.when(self.last)):
                    continue
                for _, stepper in t.steppers:
                    stepper.schedule(progress, self.scale)
                times = turn.repetitions(self.step)
                for k in range(times):
                    if k == 0 or not turn.reuse:
                        t.field.rounds = self._draw(self.step, steps, turn).split(self.options.accumulate, self.local)
                    t.step()
                    if t.keys:
                        self.record.add(row, i, t.field.log, 1.0 / times)
                    if after:
                        values = dict(zip(t.field.log, self.ranks.mean(list(t.field.log.values())), strict=True))
                        self.nets.memory.update(self.system.after(self.nets.memory, values))
                if turn.when or any(u.turn.when for u in self.turns):
                    values = dict(zip(t.field.log, self.ranks.mean(list(t.field.log.values())), strict=True))
                    self.last.update({k: float(v) for k, v in values.items()})
            self.record.step_done()
            self.step += 1
            self.done += 1
            if self.averages:
                self.averages.update(self.done)
            now = time.monotonic()
            if self.progress:
                self.progress.update(self.done)
            if self.record.full:
                self._flush(phase)
                stop = self.stopping is not None
                if self.ranks.any(stop) if self.ranks.world > 1 else stop:
                    self._interrupted()
                if self.ranks.any(now > deadline) if self.ranks.world > 1 else now > deadline:
                    self.status = "stopped at the time budget"
                    break
                if self._callbacks(phase):
                    self.status = "stopped early"
                    break
            elif self.stopping is not None and self.ranks.world == 1:
                self._interrupted()
            due = due or (self.step % gap == 0 if unit == "steps" else now - self.saved_at >= gap)
            # Saving exchanges nothing, so ranks need not agree; between readings each holds terms of its own share only.
            if due and (self.ranks.world == 1 or not self.record.filled):
                self.save()
                due = False

    # ------------------------------------------------------------------ readings

    def _flush(self, phase: Phase) -> None:
        """Read the terms of the last steps: log line, divergence, plateau."""
        if not self.record.filled:
            return
        self.record.gather()
        self.record.buffer[: self.record.filled].copy_(self.ranks.mean_one(self.record.buffer[: self.record.filled].clone()))
        values = self.record.values()
        bad = self.record.first_bad(values)
        first_step = self.step - self.record.filled
        if bad or not self.good.finite(self.nets):
            self._diverged(first_step, bad)
        means = self.record.means(values)
        self.last.update(means)
        totals: dict[str, float] = {}
        for k, v in means.items():
            if k in self.watched:
                continue
            totals[k.split("/")[0]] = totals.get(k.split("/")[0], 0.0) + v
        now = self.elapsed + time.monotonic() - self.started
        before = self.log[-1] if self.log else {"step": 0, "time_s": 0.0}
        rate = (self.done - before["step"]) / max(now - before["time_s"], 1e-9)
        line: dict[str, Any] = {"step": self.done, "phase": phase.name, "time_s": round(now, 3), "rate": round(rate, 3)}
        line |= {k: v for k, v in means.items()}
        self.losses_now = {f"{k}/loss": v for k, v in totals.items()}
        line |= self.losses_now
        lr = [s.lr() for t in self.turns for _, s in t.steppers]
        line["lr"] = max((v for v in lr if v == v), default=None)  # type: ignore[type-var]
        self.journal.write(line)
        if phase.plateau:
            self._watch_plateau(phase.plateau, means)
        self.good.keep(self.nets, self.done)
        self.record.clear()
        if self.progress:
            self.progress.terms(means, rate)
        if self.board is not None:
            for k, v in line.items():
                if isinstance(v, float) and k not in ("time_s",):
                    self.board.add_scalar(k, v, self.done)

    def _diverged(self, first_step: int, bad: tuple[int, str] | None) -> None:
        where = f"the term '{bad[1]}' was the first, at step {self.done - (self.step - first_step) + bad[0] + 1}" if bad else (
            f"a weight was the first, before step {self.done}"
        )
        self.good.put_back(self.nets)
        self.status = "diverged"
        kept = f"the weights of step {self.good.step} are kept" if self.good.step else "the initial weights are kept"
        self.done = self.good.step
        raise Diverged(
            f"the run became NaN or infinite: {where}; {kept}; lower the learning rate, or add a penalty or use precision float32"
        )

    def _plateau_over(self, phase: Phase) -> bool:
        p = phase.plateau
        return bool(p and self.plateau.get("over"))

    def _watch_plateau(self, p: Plateau, means: dict[str, float]) -> None:
        if waited(p, self.plateau, means, self.record.filled):
            self.scale *= p.factor
            lr = max((st.lr() for t in self.turns for _, st in t.steppers if st.lr() == st.lr()), default=0.0)
            self.plateau["over"] = lr * p.factor < p.min_lr

    def _callbacks(self, phase: Phase) -> bool:
        state = {
            "step": self.done, "steps": sum(self.plan), "phase": phase.name, "terms": self.last | self.losses_now, "nets": self.nets,
            "time_s": self.elapsed + time.monotonic() - self.started, "run": self,
        }  # fmt: skip
        stop = False
        for callback in self.callbacks:
            stop = bool(callback(state)) or stop
        return self.ranks.any(stop) if self.ranks.world > 1 else stop

    # ------------------------------------------------------------------ saving

    def open(self) -> None:
        """The first write of the run: everything before it may refuse without leaving a trace."""
        from tacit.files import write_json

        assert self.folder is not None
        self.opened = True
        if self.ranks.first:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                for stale in ("log.jsonl", checkpoint.NAME, "system.json", "weights.safetensors", "report.html"):
                    if (self.folder / "config.json").exists() or (self.folder / "system.json").exists():
                        (self.folder / stale).unlink(missing_ok=True)
                write_json(self.folder / "config.json", self.config)
            except OSError as e:
                raise InputError(
                    f"the run folder {self.folder} cannot be written ({e.strerror}); expected a folder with space and permission; "
                    "choose another with run=…"
                ) from None
        self.ranks.wait()

    def _warn(self, message: str) -> None:
        warnings.warn(message, RuntimeWarning, stacklevel=3)

    def save(self) -> bool:
        """Write the resume state; a full disk leaves the last checkpoint whole and training goes on."""
        self.saved_at, self.saved_step = time.monotonic(), self.done
        if self.folder is None or not self.ranks.first:
            return False
        if not self.good.finite(self.nets):
            return False
        tensors, state = collect(self)
        try:
            checkpoint.save(self.folder, tensors, state)
            return True
        except OSError as e:
            self._warn(f"a checkpoint could not be written to {self.folder} ({e.strerror}); the last one is whole; free some space")
            return False

    def _interrupted(self, save: bool = True) -> None:
        saved = save and self.save()
        self.status = "interrupted"
        name = signal.Signals(self.stopping or signal.SIGINT).name
        where = "nothing was saved, since " + ("the run has no folder" if self.folder is None else "no step was taken")
        if saved:
            where = f"saved in {self.folder}; go on with: tacit resume {self.folder}"
        if self.opened and not saved and self.ranks.first:
            where = f"the last checkpoint is whole; go on with: tacit resume {self.folder}"
        raise Interrupted(f"stopped by {name} at step {self.done}; {where}", self.stopping or signal.SIGINT)

    # ------------------------------------------------------------------ the end

    def _finish_averages(self) -> None:
        """Once the last trained phase is over, the averaged weights are the networks: closing phases see them."""
        if self.averages and not any(p.turns for p in self.phases[self.phase_index :]):
            self.nets = self.averages.network(self._recalibrate)
            self.averages = None

    def _recalibrate(self, nets: Nets) -> None:
        last = max(i for i, p in enumerate(self.phases) if p.turns)
        mine, self.nets = self.nets, nets
        for turn in self.phases[last].turns:
            r = self._draw(0, 1, turn)
            names = tuple(n for n in turn.names if self.players[n].loss)
            if names:
                with self.autocast(), torch.enable_grad():
                    self.losses(names, nets, r)
        self.nets = mine


def _plan(phases: tuple[Phase, ...], total: int) -> list[int]:
    """Steps of each phase: fixed ones as they are, the rest of ``total`` by shares."""
    fixed = sum(p.steps or 0 for p in phases if p.turns)
    shares = sum(p.share for p in phases if p.turns and p.steps is None)
    rest = max(total - fixed, 0)
    return [0 if not p.turns else p.steps if p.steps is not None else max(round(rest * p.share / shares), 1) for p in phases]


def doubled(batch: Any) -> Any:
    """A batch, or batches of several streams, in float64."""
    if dataclasses.is_dataclass(batch) and hasattr(batch, "index"):
        return dataclasses.replace(batch, x=batch.x.double())  # type: ignore[type-var, union-attr]
    return Batches({k: doubled(v) for k, v in vars(batch).items()})


def _board(folder: Path | None) -> Any:
    from tacit.errors import need

    if folder is None:
        raise InputError("tensorboard=True needs a run folder to write to; expected run=...; name a folder")
    need("tensorboard", "tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(folder / "tensorboard")
