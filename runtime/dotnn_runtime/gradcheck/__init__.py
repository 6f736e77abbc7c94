"""The gradient validator.

`check_script` checks every gradient of a generated script; `check_functions` checks any loss and its gradient.

The derivatives are found by the complex step, so they are right to about 15 digits; the report says which tensors
agree, and where they do not, which line of the backward pass is wrong and in which way.
"""

from .check import Witness, check_script, check_style
from .functions import check_functions
from .probing.steps import Expected, Reference
from .reading.script import ScriptError
from .reading.types import Point
from .report.results import Blame, CheckResult, Crossing, Element, Report, TensorResult, Verdict
from .report.text import print_report, render_text

__all__ = [
    "Blame",
    "CheckResult",
    "Crossing",
    "Element",
    "Expected",
    "Point",
    "Reference",
    "Report",
    "ScriptError",
    "TensorResult",
    "Verdict",
    "Witness",
    "check_functions",
    "check_script",
    "check_style",
    "print_report",
    "render_text",
]
