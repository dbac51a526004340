"""What the shells share: parameters that reach inside a system, the fit, codes, pickling."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from tacit.core.game import System
from tacit.core.part import Part, get, names
from tacit.engine import fit
from tacit.engine.ranks import Ranks, device_for
from tacit.errors import InputError, suggest
from tacit.model import Model

_FILES = ("system.json", "weights.safetensors", "log.jsonl")


def _nested(prefix: str, part: Any) -> dict[str, Any]:
    """Fields of a part and of the parts inside it, ``{prefix__field: value}``."""
    out: dict[str, Any] = {}
    if isinstance(part, Part):
        for f in dataclasses.fields(part):  # type: ignore[arg-type]
            value = getattr(part, f.name)
            out[f"{prefix}__{f.name}"] = value
            out |= _nested(f"{prefix}__{f.name}", value)
    return out


def _replaced(part: Any, changes: Mapping[str, Any], where: str) -> Any:
    """The part with some fields changed, also inside its parts; all changes of a part are checked together."""
    if not isinstance(part, Part):
        first = next(iter(changes))
        raise InputError(f"got '{where}__{first}', but {where} is {part!r}; expected a part with fields; set {where} itself")
    known = [f.name for f in dataclasses.fields(part)]  # type: ignore[arg-type]
    whole: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for key, value in changes.items():
        name, _, rest = key.partition("__")
        if name not in known:
            raise InputError(
                f"{type(part).__name__} has no parameter '{name}' (in '{where}__{key}'){suggest(name, known) or ';'} "
                f"expected one of: {', '.join(known) or 'none'}"
            )
        if rest:
            inner.setdefault(name, {})[rest] = value
        else:
            whole[name] = value
    for name, more in inner.items():
        whole[name] = _replaced(whole.get(name, getattr(part, name)), more, f"{where}__{name}")
    return dataclasses.replace(part, **whole)  # type: ignore[type-var]


def can(use: str) -> Any:
    """A method that exists where the shell's system has that use."""

    def check(shell: Shell) -> bool:
        return hasattr(_system(shell), use)

    def wrap(method: Callable[..., Any]) -> Any:
        return available_if(check)(method)

    return wrap


def _system(shell: Shell) -> Any:
    """The fitted system, or the one that will be fitted."""
    return shell.model_.system if hasattr(shell, "model_") else shell.system


def seed(random_state: Any) -> int:
    """An integer is the seed itself; anything else gives one, as scikit-learn reads it."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


class Shell(BaseEstimator):
    """What all shells share: parameters, fit, pickle."""

    _use = ""

    def __init__(
        self,
        system: System | None = None,
        *,
        steps: int | None = None,
        batch_size: int | None = None,
        random_state: Any = None,
        device: str = "auto",
        precision: str = "auto",
        shape: Sequence[int] | None = None,
        fit_options: Mapping[str, Any] | None = None,
    ):
        self.system = system
        self.steps = steps
        self.batch_size = batch_size
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.shape = shape
        self.fit_options = fit_options

    # ---------------------------------------------------------------- parameters

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name; with ``deep``, also the system's fields and those of its parts (``system__penalty__weight``)."""
        params: dict[str, Any] = super().get_params(deep=False)
        return params | _nested("system", self.system) if deep else params

    def set_params(self, **params: Any) -> Self:
        """Change parameters; a change inside the system makes a new system, checked as a whole.

        Raises:
            InputError: an unknown name (with the nearest one), or a value or composition that has no meaning.
        """
        known = list(super().get_params(deep=False))
        inner: dict[str, dict[str, Any]] = {}
        values: dict[str, Any] = {}
        for key, value in params.items():
            name, _, rest = key.partition("__")
            if name not in known:
                raise InputError(
                    f"{type(self).__name__} has no parameter '{name}'{suggest(name, known) or ';'} "
                    f"expected one of: {', '.join(known)}"
                )
            if rest:
                inner.setdefault(name, {})[rest] = value
            else:
                values[name] = value
        for name, changes in inner.items():
            values[name] = _replaced(values.get(name, getattr(self, name)), changes, name)
        for name, value in values.items():
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags

    # ---------------------------------------------------------------- fit

    def _rows(self, X: Any, reset: bool = False, y: Any = "no_validation") -> Any:
        """Rows checked as scikit-learn checks them: ``(n, d)`` dense or CSR, or pictures ``(n, …)``; at least two to learn from."""
        least = 2 if reset else 1
        return validate_data(self, X, y, reset=reset, accept_sparse="csr", allow_nd=True, ensure_min_samples=least)

    def _fit(self, X: Any, y: Any = None) -> None:
        system = self.system
        if not isinstance(system, System):
            raise InputError(
                f"{type(self).__name__} got system={system!r}; expected a system such as tacit.KMeans(n_clusters=3); "
                "pass an instance"
            )
        if not hasattr(system, self._use):
            able = [s for s in names("system") if hasattr(get("system", s), self._use)]
            raise InputError(
                f"{type(self).__name__} got {type(system).__name__}, which cannot {self._use}; expected a system that can; "
                f"take one of: {', '.join(able) or 'none yet, state your own'}"
            )
        options: dict[str, Any] = {"device": self.device, "precision": self.precision, "seed": seed(self.random_state)}
        options |= {k: v for k, v in (("steps", self.steps), ("batch_size", self.batch_size)) if v is not None}
        options["load"] = {} if self.shape is None else {"shape": tuple(self.shape)}
        self.model_ = fit(system, X if y is None else (X, y), **options | dict(self.fit_options or {}))

    def _ask(self, use: str, X: Any) -> np.ndarray:
        check_is_fitted(self)
        out: np.ndarray = getattr(self.model_, use)(self._rows(X))
        return out

    # ---------------------------------------------------------------- pickle

    def __getstate__(self) -> dict[str, Any]:
        """Plain values; the model as the bytes of its JSON and safetensors files."""
        state = dict(super().__getstate__())
        model = state.pop("model_", None)
        if model is not None:
            with tempfile.TemporaryDirectory() as folder:
                model.save(folder)
                found = {name: Path(folder, name) for name in _FILES}
                state["_saved"] = {k: p.read_bytes() for k, p in found.items() if p.exists()}
            state["_modules"] = _modules(model.system)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        saved, modules = state.pop("_saved", None), state.pop("_modules", ())
        super().__setstate__(state)
        if saved is not None:
            with tempfile.TemporaryDirectory() as folder:
                for name in _FILES:
                    if name in saved:
                        Path(folder, name).write_bytes(saved[name])
                self.model_ = Model.load(folder, device=_where(self.device), allow=tuple(modules))
            self.model_.run = None  # the folder is gone


def _modules(system: System) -> tuple[str, ...]:
    """Modules of the caller's own classes in a system; Python imports them too, for the ``system`` parameter."""
    parts = [system, *(v for v in _nested("", system).values() if isinstance(v, Part))]
    return tuple(sorted({m for m in (type(p).__module__ for p in parts) if m.split(".")[0] != "tacit"}))


def _where(device: str) -> str:
    """The device that was asked for, or the CPU on a machine without it."""
    try:
        return str(device_for(device, Ranks()))
    except InputError:
        return "cpu"


class Encodes(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """``transform`` by the system's ``encode``."""

    def transform(self: Any, X: Any) -> np.ndarray:
        """Codes, float32 ``(n, width of the code)``."""
        codes: np.ndarray = self._ask("encode", X)
        return codes

    @property
    def _n_features_out(self: Any) -> int:
        check_is_fitted(self)
        return self._width

    def _measure(self: Any, X: Any) -> None:
        if hasattr(self.model_.system, "encode"):
            self._width = int(self.model_.encode(X[:1]).shape[1])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


# Here and not above, since scikit-learn wraps what it finds in the class body and would hide when it is available.
Encodes.transform = can("encode")(Encodes.transform)  # type: ignore[method-assign]
