"""One paper a file, grouped by the catalogue's families."""

from typing import TYPE_CHECKING, Any

from tacit.core.discover import room

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...

globals().update(room(__name__, __path__))
