"""Changes of a row that do not change what it is: one small file each."""

from tacit.core.discover import room

globals().update(room(__name__, __path__))
