"""Against peers from PyPI, installed for the occasion: pythae's VAE, and spectralnet (without its torchvision).

Both are put into a folder of their own with ``pip install --target`` (``--peers DIR`` keeps and reuses it) and run in this
process, in turns with Tacit. A peer that cannot be installed or imported is reported and skipped. The ratio is the peer's
time over Tacit's: 2 means that Tacit takes half as long.

* pythae: one epoch of its trainer against as many steps of Tacit's VAE; same networks, batch, loss and float32.
* spectralnet: whole fits of the map alone (no autoencoder, no Siamese network) with the same widths, batch and number of
  updates; affinities are each method's own (the peer's within a batch, Tacit's of a neighbour graph over all rows).

    python benchmarks/peers.py [--quick] [--peers DIR] [-o results.json]
"""

from __future__ import annotations

import contextlib
import io
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from harness import Report, against_engine, arguments, interleave, pictures, ratio

import tacit

NEEDS = {
    "pythae": ["pydantic", "pydantic-core", "annotated-types", "typing-inspection", "typing-extensions", "cloudpickle", "imageio"],
    "spectralnet": ["annoy", "munkres", "matplotlib", "contourpy", "cycler", "kiwisolver", "pyparsing", "fonttools"],
}
SHARED = ["tqdm", "python-dateutil", "six", "packaging"]


def install(name: str, folder: Path) -> str | None:
    """Put a peer into ``folder`` without what the environment has; a sentence if that fails."""
    if not (folder / name).exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        done = subprocess.run([*command, name, *NEEDS[name], *SHARED], capture_output=True, text=True, timeout=900)
        if done.returncode:
            lines = [x for x in done.stderr.splitlines() if x.startswith("ERROR")] or done.stderr.splitlines()[-1:]
            return f"{name} could not be installed: {lines[-1] if lines else done.returncode}"
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        __import__(name)
    except Exception as e:
        return f"{name} could not be imported: {type(e).__name__}: {e}"
    return None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the peers' progress bars."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def version(name: str) -> str:
    from importlib.metadata import version as of

    return of(name)


def pythae_epochs(system: tacit.VAE, images: Any, batch: int, folder: str) -> tuple[Any, int]:
    """``(run one epoch, its steps)`` of pythae's own trainer around the system's networks."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    source = tacit.data.load(images)
    spec = tacit.data.Spec.learn(source)
    x = spec.prepare(source.read(0, source.n))
    torch.manual_seed(0)
    nets = system.nets(spec)

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = nets["E"]

        def forward(self, x: torch.Tensor) -> Any:
            mu, log_var = self.net(x).chunk(2, 1)
            return ModelOutput(embedding=mu, log_covariance=log_var)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = nets["D"]

        def forward(self, z: torch.Tensor) -> Any:
            return ModelOutput(reconstruction=self.net(z))

    shape = tuple(x.shape[1:])
    config = VAEConfig(input_dim=shape, latent_dim=system.latent_dim, reconstruction_loss="bce")
    model = VAE(config, encoder=Encoder(), decoder=Decoder())
    training = BaseTrainerConfig(
        output_dir=folder, num_epochs=1, per_device_train_batch_size=batch, learning_rate=1e-3, no_cuda=True, seed=0
    )
    trainer = BaseTrainer(model, BaseDataset(x, torch.zeros(len(x))), training_config=training)
    trainer.prepare_training()
    return (lambda steps: trainer.train_step(1)), math.ceil(len(x) / batch)


def vae(report: Report, folder: Path, rounds: int) -> None:
    why = install("pythae", folder)
    if why:
        report.add("pythae's VAE", {"skipped": why}, why)
        return
    system, images = tacit.VAE(), pictures(2560)
    try:
        with tempfile.TemporaryDirectory() as out, quiet():
            run, steps = pythae_epochs(system, images, 128, out)
            samples = against_engine(
                system, images, {"pythae": run}, chunk=steps, rounds=rounds, clock=report.args.clock, log_every=steps,
                batch_size=128, device="cpu", precision="float32",
            )  # fmt: skip
    except Exception as e:
        report.add("pythae's VAE", {"skipped": repr(e)}, f"pythae {version('pythae')} failed: {type(e).__name__}: {e}")
        return
    report.add(f"VAE, 512-512, batch 128; pythae {version('pythae')}", ratio(samples, "pythae", "tacit"))


def spectral(report: Report, folder: Path, rounds: int, n: int, epochs: int) -> None:
    why = install("spectralnet", folder)
    if why:
        report.add("spectralnet", {"skipped": why}, why)
        return
    from spectralnet import SpectralNet

    images = pictures(n)
    rows = torch.from_numpy(images.reshape(n, -1).astype("float32") / 255)
    updates = epochs * math.ceil(0.9 * n / 1024)
    mine = tacit.SpectralNet(
        n_clusters=10, n_outputs=10, code_dim=0, siamese_dim=0, closing="kmeans", laplacian="unnormalised", n_neighbors=30,
        scale_neighbor=15, augment=tacit.NoAugmentation(),
    )  # fmt: skip

    def peer() -> None:
        net = SpectralNet(n_clusters=10, spectral_epochs=epochs)
        net.fit(rows)
        net.predict(rows)

    def ours() -> None:
        model = tacit.fit(mine, rows, steps=updates, batch_size=1024, precision="float32", device="cpu")
        model.cluster(rows)

    try:
        with quiet():
            samples = interleave({"tacit": ours, "spectralnet": peer}, rounds, report.args.clock)
    except Exception as e:
        report.add("spectralnet", {"skipped": repr(e)}, f"spectralnet {version('spectralnet')} failed: {type(e).__name__}: {e}")
        return
    report.add(f"map of {n} rows, {updates} updates; spectralnet {version('spectralnet')}", ratio(samples, "spectralnet", "tacit"))


def main() -> None:
    args = arguments(__doc__ or "", peers={"type": Path, "help": "folder to install the peers into and keep"})
    report = Report("peers", args)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.peers or Path(temporary)
        vae(report, folder, args.rounds or (3 if args.quick else 10))
        spectral(report, folder, args.rounds or (1 if args.quick else 4), 2500, 2 if args.quick else 10)
    report.close()


if __name__ == "__main__":
    main()
