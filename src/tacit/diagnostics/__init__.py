"""How a game stands: its joint field's spectrum and size, who takes whose samples for real, what a better answer would gain.

Everything works on copies: neither the model nor the caller's random numbers are touched.
"""

from tacit.diagnostics.answers import Alone, exploitability, respond
from tacit.diagnostics.crossing import CrossTest, cross_test
from tacit.diagnostics.field import EXACT, joint, norms, spectrum
from tacit.diagnostics.gradients import Vanishing, vanishing

__all__ = ["EXACT", "Alone", "CrossTest", "Vanishing", "cross_test", "exploitability", "joint", "norms", "respond", "spectrum", "vanishing"]
