"""``tacit sample``, ``encode``, ``cluster`` and ``invert``: a trained model on new data, into files that others read."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from tacit.cli import sources, spec
from tacit.cli.fit import allowed, load_of
from tacit.cli.output import first, give, say, target
from tacit.cli.spec import Opt
from tacit.errors import InputError
from tacit.files import atomic
from tacit.model import Model, load

RUN = spec.Arg("run", "The folder of a finished run or a saved model")
SEED = Opt("seed", "INT", "Seed of the noise", default="0")
DEVICE = Opt("device", "TEXT", "auto, cpu, cuda or mps", default="auto")
ALLOW = Opt("allow", "MODULE,…", "Modules whose own systems the model may import")
COMMON = [SEED, DEVICE, ALLOW]


def out(help: str) -> Opt:
    return Opt("out", "FILE", help, short="-o")


def open_model(given: dict[str, Any]) -> Model:
    """The model of ``RUN``."""
    from tacit.engine.ranks import Ranks, device_for

    return load(given["run"], device=str(device_for(given.get("device", "auto"), Ranks())), allow=allowed(given))


def seed_of(given: dict[str, Any]) -> int:
    seed = spec.convert(int, given.get("seed", "0"), "--seed")
    if seed < 0:
        raise InputError(f"--seed got '{given['seed']}'; expected 0 or more; choose another")
    return seed


def rows_for(model: Model, given: dict[str, Any]) -> Any:
    """``DATA`` as a source that the model has accepted."""
    return sources.source_for(model, given["data"], given, load_of(Path(given["run"])))


def sample(given: dict[str, Any]) -> int:
    """Generate rows."""
    n = spec.convert(int, given.get("n", "64"), "-n")
    if n < 1:
        raise InputError(f"-n got '{given['n']}'; expected 1 or more; ask for at least one")
    if "out" not in given:
        raise InputError("tacit sample got no -o; expected a file to write, .npy, .csv or .png; add e.g. -o samples.npy")
    path = target(given["out"], (".npy", ".csv", ".png"))
    seed, model = seed_of(given), open_model(given)
    if path.suffix == ".png" and (model.spec.kind != "image" or model.spec.shape[0] not in (1, 3)):
        raise InputError(
            f"-o got '{path}', but the samples are {model.spec.kind} rows of shape {tuple(model.spec.shape)}; "
            "expected pictures of 1 or 3 channels for .png; use .npy or .csv"
        )
    if path.suffix == ".png":
        write_grid(path, model.sample(n, seed=seed, raw=False), model.spec.bounded)
    else:
        rows = model.sample(n, seed=seed)
        if path.suffix == ".npy":
            write_array(path, rows)
        else:
            header, table = named_columns(model, rows)
            write_csv(path, ["id", *header], ([i, *row] for i, row in enumerate(table)))
    say(f"{n:,} samples are in {path}")
    return 0


def named_columns(model: Model, rows: np.ndarray) -> tuple[list[str], list[list[Any]]]:
    """Columns as the table had them, categories as texts again; numbered where they have no names."""
    flat = rows.reshape(len(rows), -1)
    if model.spec.table is not None:
        from tacit.data.tables import Table

        frame = Table.from_json(model.spec.table).decode(flat)
        return [str(c) for c in frame.columns], frame.to_numpy(object).tolist()
    return model.spec.feature_names or [f"x{i}" for i in range(flat.shape[1])], flat.tolist()


def encode(given: dict[str, Any]) -> int:
    """Codes of new rows."""
    path = target(given["out"], (".npy", ".csv")) if "out" in given else None
    seed, model = seed_of(given), open_model(given)
    model._use("encode")
    source = rows_for(model, given)
    codes = model.encode(source, seed=seed)
    flat = codes.reshape(len(codes), -1)
    if path is not None and path.suffix == ".npy":
        write_array(path, codes)
    else:
        header = ["id", *(f"z{i}" for i in range(flat.shape[1]))]
        write_csv(path, header, ([i, *row] for i, row in zip(source.row_ids(), flat.tolist(), strict=True)))
    if path is not None:
        say(f"codes of {len(codes):,} rows, {flat.shape[1]} numbers each, are in {path}")
    return 0


def cluster(given: dict[str, Any]) -> int:
    """Clusters of new rows."""
    path = target(given["out"], (".csv",)) if "out" in given else None
    seed, model = seed_of(given), open_model(given)
    model._use("cluster")
    source = rows_for(model, given)
    labels = model.cluster(source, seed=seed)
    write_csv(path, ["id", "cluster"], zip(source.row_ids(), labels.tolist(), strict=True))
    if path is not None:
        say(f"{len(labels):,} rows in {len(np.unique(labels))} clusters; labels are in {path}")
    return 0


INVERT = [
    Opt("form", "auto|plain|modified", "Over all of the code, or a descent for each category; auto goes by the prior", default="auto"),
    Opt("start", "prior|encoder", "Where descent begins: draws of the prior, or the rows' own codes", default="prior"),
    Opt("starts", "INT", "Draws for each row, of which the best counts", default="4"),
    Opt("steps", "INT", "Updates of each descent", default="200"),
    Opt("lr", "FLOAT", "The rate of Adam, which falls to 0", default="0.05"),
    Opt("weight", "FLOAT", "Weight of the continuous part's norm, in the modified form", default="0.1"),
    Opt("polish", "INT", "Second-order steps after the descent, for rows in the generator's reach", default="0"),
    Opt("clip", "FLOAT", "The continuous part is kept in [-clip, clip], in the modified form", default="the prior's own"),
]
"""Options of ``tacit invert``; its help says the defaults of :func:`tacit.uses.invert.invert`."""


def invert(given: dict[str, Any]) -> int:
    """Codes of new rows by descent through the generator."""
    path = target(given["out"], (".npy", ".csv")) if "out" in given else None
    kinds = {"starts": int, "steps": int, "lr": float, "weight": float, "clip": float, "polish": int}
    options = {k: spec.convert(kind, given[k], f"--{k}") for k, kind in kinds.items() if k in given}
    seed, model = seed_of(given), open_model(given)
    model._use("decode")
    source = rows_for(model, given)
    found = model.invert(source, form=given.get("form", "auto"), start=given.get("start", "prior"), seed=seed, options=options)
    if path is not None and path.suffix == ".npy":
        write_array(path, found.codes)
    else:
        header = ["id", "category", "loss", *(f"z{i}" for i in range(found.codes.shape[1]))]
        columns = zip(source.row_ids(), found.category.tolist(), found.loss.tolist(), found.codes.tolist(), strict=True)
        write_csv(path, header, ([i, k, loss, *z] for i, k, loss, z in columns))
    if path is not None:
        say(f"codes of {len(found.codes):,} rows, {found.codes.shape[1]} numbers each, are in {path}; mean loss {found.loss.mean():.4g}")
    return 0


def write_csv(path: Path | None, header: list[str], rows: Any) -> None:
    """A CSV file with a header, or the same on standard output."""
    if not first():
        return
    if path is not None:
        with atomic(path) as f:
            _csv(f, header, rows)
        return
    text = io.StringIO()
    _csv(text, header, rows)
    give(text.getvalue().rstrip("\n"))


def _csv(f: Any, header: list[str], rows: Any) -> None:
    writer = csv.writer(f, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)


def write_array(path: Path, array: np.ndarray) -> None:
    """A .npy file, atomically."""
    if first():
        with atomic(path, "wb") as f:
            np.save(f, array, allow_pickle=False)


def write_grid(path: Path, x: np.ndarray, bounded: bool, scale_to_px: int = 64) -> None:
    """Pictures ``(n, C, H, W)`` in a grid, small ones enlarged, 2 px apart."""
    from PIL import Image

    if not first():
        return
    if not bounded:
        low, high = float(x.min()), float(x.max())
        x = (x - low) / ((high - low) or 1.0)
    pixels = np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    zoom = max(1, scale_to_px // max(pixels.shape[1:3]))
    pixels = pixels.repeat(zoom, 1).repeat(zoom, 2)
    n, h, w, c = pixels.shape
    columns = math.ceil(math.sqrt(n))
    lines = math.ceil(n / columns)
    sheet = np.full((lines * (h + 2) + 2, columns * (w + 2) + 2, c), 255, np.uint8)
    for i, picture in enumerate(pixels):
        top, left = i // columns * (h + 2) + 2, i % columns * (w + 2) + 2
        sheet[top : top + h, left : left + w] = picture
    buffer = io.BytesIO()
    Image.fromarray(sheet[..., 0] if c == 1 else sheet).save(buffer, "PNG")
    with atomic(path, "wb") as f:
        f.write(buffer.getvalue())
