"""One self-contained HTML page per run, pictures first."""

from tacit.report.compose import write
from tacit.report.pictures import grid, strip

__all__ = ["grid", "strip", "write"]
