"""No penalty."""

from __future__ import annotations

from dataclasses import dataclass

from tacit.core.parts import Penalty


@dataclass(frozen=True)
class NoPenalty(Penalty):
    """The discriminator is left as it is."""

    name = "none"
