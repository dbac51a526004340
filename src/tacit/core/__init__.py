"""The game and nothing else."""

from tacit.core.field import Field
from tacit.core.game import Defaults, Phase, Plateau, Player, Round, System, Turn, World, tree_map
from tacit.core.nets import Nets
from tacit.core.part import Part, from_json, names, to_json
from tacit.core.part import get as get_part
from tacit.core.parts import Augmentation, Networks, Objective, Penalty, Prior, Rule, Stepper, float32
from tacit.core.rng import Rng

__all__ = [
    "Augmentation", "Defaults", "Field", "Nets", "Networks", "Objective", "Part", "Penalty", "Phase", "Plateau", "Player", "Prior",
    "Rng", "Round", "Rule", "Stepper", "System", "Turn", "World", "float32", "from_json", "get_part", "names", "to_json",
    "tree_map",
]  # fmt: skip
