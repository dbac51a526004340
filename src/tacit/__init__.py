"""Tacit: learn the structure of data from few labels or none.

>>> import tacit
>>> model = tacit.fit(tacit.KMeans(n_clusters=10), "digits")
>>> len(model.cluster("digits"))
1797
"""

from tacit import augmentations, data, networks, objectives, penalties, priors, rules, systems
from tacit.core import Part, Player, Round, System, Turn
from tacit.core.game import Defaults, Phase, Plateau
from tacit.engine import fit, resume
from tacit.errors import Diverged, InputError, Interrupted, NotSupported, TacitError
from tacit.model import Model, can, load
from tacit.version import __version__

for _room in (augmentations, objectives, penalties, priors, rules, networks, systems):
    globals().update({k: v for k, v in vars(_room).items() if isinstance(v, type) and issubclass(v, Part)})
del _room

__all__ = [
    "Defaults", "Diverged", "InputError", "Interrupted", "Model", "NotSupported", "Part", "Phase", "Plateau", "Player", "Round",
    "System", "TacitError", "Turn", "__version__", "augmentations", "can", "data", "fit", "load", "resume",
]  # fmt: skip
