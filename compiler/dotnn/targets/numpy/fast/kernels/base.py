"""What a kernel is: the fast NumPy statements of one op, features first, batch last, results in arrays that exist."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dotnn.ir.node import Node

if TYPE_CHECKING:
    from dotnn.targets.numpy.fast.emitter import FastEmitter

    Step = FastEmitter
else:
    Step = object  # what kernels are handed; inside a loop it is a `LoopWriter`, which has what is needed there


Write = Callable[..., bool]
"""(emitter, node) -> whether the node is written; where not, nothing is. The emitter is a `Step`."""


Operands = Sequence[int] | Callable[[Node], Sequence[int]]


@dataclass(frozen=True)
class Kernel:
    """How one op is written in the fast style.

    name     of the op
    write    writes it; where it does not, the op is written in its explain form, through views with the batch in front
    in_loop  the same inside a loop over time; an elementwise op needs none
    over     the operands (or a function from the node to them) that it reads before it writes, so that the result may
             take over their arrays; of an elementwise op all, unless it says otherwise
    result   where the result is, if not in an array like any other: "first" is the first operand's, which it renews;
             "zeros" an array that was zero when it was made; "block" the parameters themselves, where they lie one
             behind the other; "kernel" is what the kernel itself makes
    folds    writes x W + b with the bias as one more row of W, where it is folded in
    turns    reads and writes arrays with the examples first as well as those with the features first
    gradient for a loss: it also writes the gradient, if that is wanted
    """

    name: str
    write: Write | None = None
    in_loop: Write | None = None
    over: Operands | None = None
    result: Literal["", "first", "zeros", "block", "kernel"] = ""
    folds: bool = False
    turns: bool = False
    gradient: bool = False
