"""What the helpers that formulas call mean in mathematics: a formula, or what stands at each place of the result.

A script calls `sigmoid_cross_entropy(z, t)`, which is written so that nothing overflows; an equation says
log(1 + exp(z)) - t z. A helper that has no meaning here is shown by its name.
"""

from dotnn.library.textbook.meanings import MEANINGS, Meaning, expanded
from dotnn.library.textbook.rows import ROWS
from dotnn.library.textbook.windows import WINDOWS

BY_ELEMENT = {**ROWS, **WINDOWS}
"""How helpers of whole arrays are read by element."""

__all__ = ["BY_ELEMENT", "MEANINGS", "Meaning", "expanded"]
