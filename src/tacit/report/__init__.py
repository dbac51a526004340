"""One self-contained HTML page per run, pictures first."""

from tacit.report.compose import write
from tacit.report.pictures import grid, scatters, strip

__all__ = ["grid", "scatters", "strip", "write"]
