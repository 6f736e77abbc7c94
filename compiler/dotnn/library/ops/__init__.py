"""The tensor ops: about textbook-equation size, one file per family, each with its VJP rule.

An op that only one layer or loss needs may stand in the file of that layer or loss: it joins from there.
"""

from dotnn.core.diagnostics import CompileError, Diagnostic, did_you_mean
from dotnn.core.registry import collect
from dotnn.ir.op import Op

__all__ = ["OPS", "Op"]


class _Ops(dict[str, Op]):
    """All ops by their names. One that is missing is a slip in a layer, a loss or a rule, not in a spec."""

    def __missing__(self, name: str) -> Op:
        message = f'there is no op called "{name}", which a layer, a loss or the gradient of an op asks for'
        note = "an op is an object in a file of library/ops, or in the file of the layer or loss that it belongs to"
        raise CompileError([Diagnostic("NN902", message, note=note, help=did_you_mean(name, self))])


OPS: dict[str, Op] = _Ops()
collect(__name__, __path__, Op, OPS)
