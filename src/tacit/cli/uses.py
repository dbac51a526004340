"""``tacit sample``, ``encode``, ``cluster``, ``invert`` and ``interpolate``: a trained model on new data, into files that others read."""

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
    check_pictures(path, model)
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


INTERPOLATE = [
    Opt("paths", "INT", "How many", default="8"),
    Opt("points", "INT", "Rows of each path, both ends included", default="10"),
    Opt("how", "auto|linear|spherical|prior", "The way between two codes; auto is the prior's own", default="auto"),
    Opt("within", help="Both ends have the same category, where the latent has categories and DATA is left out", flag=True),
]


def interpolate(given: dict[str, Any]) -> int:
    """Decoded rows on paths between codes: of new rows, two and two, or drawn from the prior."""
    if "out" not in given:
        raise InputError("tacit interpolate got no -o; expected a file to write, .npy or .png; add e.g. -o paths.png")
    path = target(given["out"], (".npy", ".png"))
    n, points = (spec.convert(int, given.get(k, d), f"--{k}") for k, d in (("paths", "8"), ("points", "10")))
    if n < 1:
        raise InputError(f"--paths got '{given['paths']}'; expected 1 or more; ask for at least one")
    seed, model = seed_of(given), open_model(given)
    model._use("decode")
    check_pictures(path, model)
    if "data" in given:
        if given.get("within"):
            raise InputError("tacit interpolate got --within beside data; expected one of the two; the data's rows are the ends")
        source = rows_for(model, given)
        n = min(n, source.n // 2)
        if not n:
            raise InputError(f"{given['data']} has {source.n} rows; expected 2 or more, the ends of a path; give more rows")
        codes = model.encode(source.subset(np.arange(2 * n)), seed=seed).reshape(2 * n, -1)
        a, b = codes[::2], codes[1::2]
    else:
        a, b = drawn_ends(model, n, seed, bool(given.get("within")))
    rows = model.interpolate(a, b, points, how=given.get("how", "auto"), seed=seed, raw=path.suffix != ".png")
    if path.suffix == ".png":
        write_grid(path, rows.reshape(-1, *rows.shape[2:]), model.spec.bounded, columns=points)
    else:
        write_array(path, rows)
    say(f"{n:,} paths of {points} rows each are in {path}")
    return 0


def drawn_ends(model: Model, n: int, seed: int, within: bool) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of codes drawn from the prior, of the same categories where ``within``."""
    prior, who = model.system.latents, type(model.system).__name__
    if prior is None:
        raise InputError(f"{who} draws no latents; expected DATA, whose rows are the ends of the paths; give some")
    rng = model._rng(seed)
    a, b = prior.sample(n, rng), prior.sample(n, rng)
    if within:
        if "categorical" not in getattr(a, "_fields", ()):
            raise InputError(f"got --within for {who}, whose latent has no category; expected one that has; leave it out")
        b = b._replace(categorical=a.categorical)
    return prior.join(a).cpu().numpy(), prior.join(b).cpu().numpy()


def check_pictures(path: Path, model: Model) -> None:
    """Refuse a .png for rows that are no pictures of 1 or 3 channels."""
    if path.suffix == ".png" and (model.spec.kind != "image" or model.spec.shape[0] not in (1, 3)):
        raise InputError(
            f"-o got '{path}', but the samples are {model.spec.kind} rows of shape {tuple(model.spec.shape)}; "
            "expected pictures of 1 or 3 channels for .png; use .npy"
        )


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


def write_grid(path: Path, x: np.ndarray, bounded: bool, scale_to_px: int = 64, columns: int = 0) -> None:
    """Pictures ``(n, C, H, W)`` in a grid, small ones enlarged, 2 px apart; as many columns as lines unless a number is given."""
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
    columns = columns or math.ceil(math.sqrt(n))
    lines = math.ceil(n / columns)
    sheet = np.full((lines * (h + 2) + 2, columns * (w + 2) + 2, c), 255, np.uint8)
    for i, picture in enumerate(pixels):
        top, left = i // columns * (h + 2) + 2, i % columns * (w + 2) + 2
        sheet[top : top + h, left : left + w] = picture
    buffer = io.BytesIO()
    Image.fromarray(sheet[..., 0] if c == 1 else sheet).save(buffer, "PNG")
    with atomic(path, "wb") as f:
        f.write(buffer.getvalue())
