"""One paper a file, grouped by the catalogue's families."""

from tacit.core.discover import room

globals().update(room(__name__, __path__))
