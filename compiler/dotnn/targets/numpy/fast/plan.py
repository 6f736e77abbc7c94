"""The lines of a step and of its set-up, and the names of what the set-up makes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from dotnn.codegen.hygiene import unmarked
from dotnn.codegen.lines import commented
from dotnn.codegen.wrap import INDENT
from dotnn.ir.expr import Expr
from dotnn.ir.node import Value
from dotnn.library.ops import OPS
from dotnn.passes.name import reserved
from dotnn.targets.numpy.fast.arrays import like, new_array, planes, turned
from dotnn.targets.numpy.fast.kernels.pieces import FUNCTIONS, LOOP_NAMES

WORD = re.compile(r"[^\W\d]\w*")
CALL = re.compile(rf"(?<![\w.])({'|'.join(FUNCTIONS)})(?:\.reduce)?\(")
STEP = 2 * INDENT
"""How far to the right the statements of a step stand."""

WriteSlope = Callable[[str, str, Sequence[int | str]], list[str]]
"""(array of a value, array of a slope, their dimensions) -> the lines that compute it"""


@dataclass
class Plan:
    """The finished lines.

    `examples` are the arrays that are made of the examples once, before training (name -> expression); `setup` makes
    the arrays of a step, `step` runs at every step. `functions` are NumPy's that the step calls, `helpers` ours.
    `reused` are the values that took over an array of another value; `carried` maps a state of a loop to the value that
    is written over it for the next step. `sizes` are the dimensions of the arrays that the set-up makes, by name.

    A plan of predictions has `results`, the values that it hands out, batch first (name -> expression).
    """

    examples: dict[str, str] = field(default_factory=dict)
    setup: list[str] = field(default_factory=list)
    step: list[str] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    helpers: set[str] = field(default_factory=set)
    reused: set[str] = field(default_factory=set)
    carried: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, tuple[int | str, ...]] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)

    @property
    def numbers(self) -> int:
        """How many numbers the arrays hold for each example."""
        batched = (dims for dims in self.sizes.values() if "size" in dims)
        return sum(math.prod(n for n in dims if isinstance(n, int)) for dims in batched)

    def spelt(self, change: Callable[[str], str]) -> Plan:
        """Return the plan with `change` applied to every text."""
        return Plan(
            {change(name): change(expression) for name, expression in self.examples.items()},
            [change(line) for line in self.setup],
            [change(line) for line in self.step],
            self.functions,
            self.helpers,
            {change(name) for name in self.reused},
            {change(entering): change(leaving) for entering, leaving in self.carried.items()},
            {change(name): dims for name, dims in self.sizes.items()},
            {change(name): change(expression) for name, expression in self.results.items()},
        )

    def drop_unread(self) -> None:
        """Drop the lines of the set-up whose name nothing reads."""
        read = set(WORD.findall("\n".join([*self.step, *self.results.values()])))
        kept: list[str] = []
        for line in reversed(self.setup):
            name, _, _ = line.partition(" = ")
            if name in read or not name.isidentifier():
                kept.append(line)
                read |= set(WORD.findall(line))
        self.setup = kept[::-1]
        self.sizes = {name: dims for name, dims in self.sizes.items() if name in read}


@cache
def words() -> frozenset[str]:
    """Return what a name made here must not be: words of Python, of the template, and of what is called."""
    folder = Path(__file__).parents[1] / "templates"
    text = "".join((folder / f"{name}.py.j2").read_text(encoding="utf-8") for name in ("gradients", "prediction"))
    code = re.sub(r'""".*?"""|".*?"|\{[{%].*?[%}]\}', "", text, flags=re.DOTALL)
    helpers = {helper for op in OPS.values() for helper in op.helpers}
    return frozenset({*reserved(), *WORD.findall(code), "np", *FUNCTIONS, *LOOP_NAMES, *helpers})


class PlanWriter:
    """Writes a plan line by line. Every name that the set-up makes is free, and made once."""

    def __init__(self, taken: set[str]) -> None:
        self.plan = Plan()
        self.banner = ""
        self._taken = {unmarked(name) for name in taken}
        self._bound: dict[object, str] = {}
        self._in_steps: dict[object, str] = {}

    def run(self, line: str, comment: str = "") -> None:
        """Append a statement to the step, under the banner of its own; its comment stands above if it is too long."""
        self.plan.step += [*([self.banner] if self.banner else []), *commented(line, comment, STEP)]
        self.banner = ""
        self.plan.functions |= set(CALL.findall(line))

    def prepare(self, line: str, comment: str = "") -> None:
        """Append a statement to the set-up; a comment that is too long is left out."""
        self.plan.setup.append(commented(line, comment, INDENT)[-1])

    def bind(self, hint: str, expression: str, *, own: bool = False) -> str:
        """Return the name of an expression that is evaluated once, in the set-up.

        `own`: the name is a value's, and free for it alone.
        """
        if own:
            self.plan.setup.append(f"{hint} = {expression}")
            return hint
        return self.once(hint, expression, expression)

    def workspace(
        self, hint: str, dims: Sequence[int | str], key: object, start: str = "", dtype: str = "dtype"
    ) -> tuple[str, bool]:
        """Return the name of an array that one op keeps for a later one, and whether it is there already."""
        there = key in self._bound
        return self.sized(self.once(hint, new_array(dims, dtype, start), key), dims), there

    def sized(self, name: str, dims: Sequence[int | str]) -> str:
        """Note the dimensions of an array that the set-up makes; return its name."""
        self.plan.sizes.setdefault(name, tuple(dims))
        return name

    def number(self, hint: str, expression: str) -> str:
        """Return the name of a number in the arrays' own precision (a 0-d array: the cheapest operand)."""
        return self.bind(hint, f"np.array({expression}, dtype)")

    def scratch(self, hint: str, *dims: int | str, dtype: str = "dtype", start: str = "", by_rows: bool = False) -> str:
        """Return the name of a scratch array; equal ones are shared, for no line needs it after its own op."""
        make = turned if by_rows else planes if len(dims) == 4 and dims[-1] == "size" else new_array
        expression = make(dims, dtype, start)
        return self.sized(self.once(hint, expression, (hint, expression)), dims)

    def by_rows(self, value: Value) -> bool:
        """Whether a value's array is held with the examples first."""
        raise NotImplementedError

    def slope(self, value: Value, formula: Expr, write: WriteSlope, dtype: str) -> str:
        """Return the name of a slope, a formula of a value, "" where it is not there already: outside of loops."""
        return ""

    def scratch_like(self, hint: str, value: Value, dtype: str = "dtype", start: str = "") -> str:
        """Return the name of a scratch array that lies as a value does."""
        return self.scratch(hint, *like(value), dtype=dtype, start=start, by_rows=self.by_rows(value))

    def example_array(self, hint: str, expression: str) -> str:
        """Return the rows, batch first, of an array made of the examples once, before training."""
        name = self._example_name(hint, expression)
        return self.bind(f"{name}_rows", f'batch["{unmarked(name)}"]')

    def all_examples(self, hint: str, expression: str) -> str:
        """Return the expression of that array with the rows of all examples, not of a batch alone."""
        return f'arrays["{unmarked(self._example_name(hint, expression))}"]'

    def _example_name(self, hint: str, expression: str) -> str:
        """Return the name of an array of the examples, distinct without its mark, too: that is its key."""
        name, number = hint, 2
        while self.plan.examples.setdefault(unmarked(name), expression) != expression:
            name, number = f"{hint}_{number}", number + 1
        return name

    def free_name(self, hint: str) -> str:
        """Return the hint, or the hint with a number where another thing has its name."""
        name, number = hint, 2
        while unmarked(name) in self._taken:
            name, number = f"{hint}_{number}", number + 1
        self._taken.add(unmarked(name))
        return name

    def step_name(self, hint: str, key: object) -> str:
        """Return a free name for what every step of a loop binds anew; the same key is the same thing."""
        if key not in self._in_steps:
            self._in_steps[key] = self.free_name(hint)
        return self._in_steps[key]

    def once(self, hint: str, expression: str, key: object) -> str:
        """Return the name of the expression that was bound to this key; bind it now if none was."""
        if key not in self._bound:
            self._bound[key] = self.free_name(hint)
            self.plan.setup.append(f"{self._bound[key]} = {expression}")
        return self._bound[key]
