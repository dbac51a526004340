"""Restrictions of the discriminator: one small file each."""

from tacit.core.discover import room

globals().update(room(__name__, __path__))
