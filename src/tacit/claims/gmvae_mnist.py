"""The Gaussian-mixture VAE as a clusterer of MNIST, with 10 and 30 clusters."""

from __future__ import annotations

from tacit.claims import Claim, Context, Result
from tacit.claims._clusters import on_mnist
from tacit.core import System


def systems(small: bool) -> dict[str, System]:
    """The same networks at every K."""
    from tacit.networks.mlp import MLP
    from tacit.systems.autoencoders.gmvae import GMVAE

    width = 128 if small else 500
    nets = MLP(widths=(width, width), critic_act="relu")
    return {f"K={k}": GMVAE(n_clusters=k, networks=nets) for k in ((10,) if small else (10, 30))}


def run(context: Context) -> Result:
    """With 10 and 30 clusters; ``small``: 10."""
    return on_mnist(
        context, systems(context.small), 14_000, 1_500,
        "share of unseen rows whose cluster bears their label; clusters are named by the fitted row that is surest of each (many-to-one, "
        "as in the paper); ACC is one-to-one", error=False,
    )  # fmt: skip


CLAIM = Claim(
    id="gmvae-mnist",
    paper="Dilokthanakul et al. 2016, arXiv:1611.02648",
    published="mean accuracy about .82 with 10 clusters and .93 with 30 (many-to-one, named by the surest row)",
    what="mean accuracy of GMVAE's 10 clusters on MNIST's test split (bar .79), and of 30 (bar .90)",
    run=run,
    threshold=lambda r: sum(r.values.values()) / len(r.values) >= 0.79 and r.extra["K=30 surest"] >= 0.90,
    small_threshold=0.6,
    minutes=4,
    data=("mnist",),
)
