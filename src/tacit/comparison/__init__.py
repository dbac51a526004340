"""Compositions side by side: fits in parallel, the same measures for all, one page."""

from tacit.comparison.run import Comparison, compare

__all__ = ["Comparison", "compare"]
