"""The verifier of a plan: what must hold of the memory that the values of a step share.

A plan lets a value take over the array of another one. That is right as long as nobody reads the other one any more.
To see it, the step runs in two memories side by side: as the plan places the values, and with an array of its own for
every value that took one over. Both memories note which statement wrote each number last. A read that finds another
writer in the one than in the other has lost its value, whatever the numbers happen to be.

Nothing may be written where several numbers share one place (a broadcast view) or into a read-only array, no product
may be written over its own operands, and no view may turn out to be a copy that is made once. A violation is a bug of
the compiler, never of a spec.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import count, product
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from dotnn.running.scripts import run_script
from dotnn.targets.numpy.fast.plan import Plan
from dotnn_runtime.script.buffers import flat_arrays
from dotnn_runtime.script.selfcheck import generic_batch

Array = np.ndarray[Any, np.dtype[Any]]
EXAMPLES = 3
TRAINING = "training"
CONDITION = re.compile(r"^ *(?:el)?if (.*)$", re.MULTILINE)


class InvalidPlan(AssertionError):
    """A plan reads a value whose memory was given away, or writes where it must not."""


def verify_plan(plan: Plan, script: str) -> None:
    """Run two consecutive steps of `plan` in two memories, in each of the ways in which it can go.

    A step that asks whether it trains is run in both modes; a plan of predictions has one. Where a condition asks for
    numbers, both branches are taken, whatever they are.
    `script` is the script that holds the plan: its declarations say which arrays there are. Raises `InvalidPlan`
    naming the statement, the value that it reads, and the statement that destroyed it.
    """
    module = run_script(script, "planned")
    parsed = _parsed(plan.setup), _parsed(plan.step)
    for training, branch in _ways(plan):
        make = _names_of_prediction if plan.results else _names
        names = [make(plan, module, training=training) for _ in ("apart", "placed")]
        with np.errstate(all="ignore"):
            _Machine(plan, *names, branch=branch).run(*parsed)
    for known in (_code, _text, _parts, _makes_empty):
        known.cache_clear()


def _ways(plan: Plan) -> Iterator[tuple[bool, bool]]:
    """Yield the pairs of a mode (training or not) and a branch (taken or not) in which the statements differ."""
    text = "\n".join([*plan.setup, *plan.step])
    modes = re.search(rf"\b{TRAINING}\b", text)
    branches = any(test != f"{TRAINING}:" for test in CONDITION.findall(text))
    yield from product(
        (False,) if plan.results else (True, False) if modes else (True,), (True, False) if branches else (True,)
    )


class _Memory:
    """The names of a step and their arrays, and for every number the last statement that wrote it."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self._writers: dict[int, tuple[Array, int, Array]] = {}
        self._views: dict[int, tuple[Array, Array]] = {}

    def evaluate(self, tree: ast.expr) -> Any:
        if isinstance(tree, ast.Name) and tree.id in self.names:
            return self.names[tree.id]
        return eval(_code(tree), self.names)

    def writers(self, array: Array) -> Array:
        """Return a view, of the array's shape, of the numbers of the statements that wrote its elements last."""
        known = self._views.get(id(array))  # which keeps the array, so that no other one gets its id
        if known is None:
            known = self._views[id(array)] = array, self._view(array)
        return known[1]

    def _view(self, array: Array) -> Array:
        owner = _owner(array)
        if id(owner) not in self._writers:
            numbers = np.zeros(owner.nbytes // owner.itemsize, np.int64)
            self._writers[id(owner)] = owner, _address(owner), numbers
        _, begin, table = self._writers[id(owner)]
        start = (_address(array) - begin) // owner.itemsize * table.itemsize
        strides = [s // owner.itemsize * table.itemsize for s in array.strides]
        return np.ndarray(array.shape, table.dtype, table, start, strides)


@dataclass(frozen=True)
class _Written:
    """A statement: its text, what it writes into, what it reads, and whether it calls `np.dot`."""

    text: str
    target: ast.expr | None
    operands: list[ast.AST]
    is_product: bool


class _Machine:
    """Runs the statements of a plan in both memories: `placed` as the plan says, `apart` with an array per value."""

    def __init__(self, plan: Plan, apart: dict[str, Any], placed: dict[str, Any], *, branch: bool) -> None:
        self.plan, self.branch = plan, branch
        self.apart, self.placed = _Memory(apart), _Memory(placed)
        self.numbers = count(1)
        self.parameters = [*apart["PARAMS"]]
        self.written: dict[int, str] = {}
        self.copies: dict[str, list[Array]] = {}
        self.empty: dict[int, Array] = {}
        self.statements: dict[ast.stmt, _Written] = {}
        self.prepared = False

    def run(self, setup: Sequence[ast.stmt], step: Sequence[ast.stmt]) -> None:
        for statement in setup:
            self._run_one(statement)
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                self._bind(statement.targets[0].id, statement.value)
        self.prepared = True
        for _ in range(2):
            if self.plan.results:
                self._renew()
            self._run_all(step)
        for name, pair in self._results():
            self._compare(*pair, "the end of the step", name)
        for parameter in () if self.plan.results else self.parameters:
            if not self.placed.writers(self.placed.names["grads"][parameter]).all():
                raise InvalidPlan(f"no statement writes all of the gradient of {parameter}")
        for name, sources in self.copies.items():
            self._check_copy(name, sources)

    def _bind(self, name: str, expression: ast.expr) -> None:
        """Give a value that reuses memory an array of its own in `apart`; remember what is a copy of other arrays."""
        if name in self.plan.reused:
            self.apart.names[name] = self.apart.names[name].copy(order="K")
        if _makes_empty(expression):
            self.empty |= {id(owner): owner for owner in map(_owner, _flat(self.placed.names[name]))}
        sources = [placed for _, _, placed in self._arrays(expression)]
        made = _flat(self.placed.names[name])
        if not any(np.may_share_memory(a, b) for a in made for b in sources):
            self.copies[name] = sources

    def _check_copy(self, name: str, sources: Sequence[Array]) -> None:
        """Refuse an array that took numbers over when it was made, and never again, though a step writes them."""
        stale = not any(self.placed.writers(array).any() for array in _flat(self.placed.names[name]))
        if stale and any(self.placed.writers(array).any() for array in sources):
            raise InvalidPlan(f"{name} is copied once from an array that every step writes")

    def _renew(self) -> None:
        """Write what a prediction is given anew: the examples, and the parameters, which training changes."""
        number = next(self.numbers)
        self.written[number] = "the caller"
        for memory, table in product((self.apart, self.placed), ("batch", "params")):
            for array in memory.names[table].values():
                memory.writers(array)[...] = number

    def _results(self) -> Iterator[tuple[str, tuple[Array, Array]]]:
        for name, expression in self.plan.results.items():
            tree = ast.parse(expression, mode="eval").body
            yield name, (self.apart.evaluate(tree), self.placed.evaluate(tree))
        if self.plan.results:
            return
        for table in ("grads", "params"):
            for name, array in self.apart.names[table].items():
                yield f'{table}["{name}"]', (array, self.placed.names[table][name])

    def _run_all(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            if isinstance(statement, ast.For):
                self._run_loop(statement)
            elif isinstance(statement, ast.If):
                mode = _text(statement.test) == TRAINING
                taken = self.placed.evaluate(statement.test) if mode else self.branch
                self._run_all(statement.body if taken else statement.orelse)
            else:
                self._run_one(statement)

    def _run_loop(self, loop: ast.For) -> None:
        both = [list(memory.evaluate(loop.iter)) for memory in (self.apart, self.placed)]
        made = {n.id for n in ast.walk(loop) if isinstance(n, ast.Name)}
        # The body may read a state without making the next one under its name, or make one that it does not read.
        carried = {entering: leaving for entering, leaving in self.plan.carried.items() if {entering, leaving} & made}
        for pair in zip(*both, strict=True):
            for memory, value in zip((self.apart, self.placed), pair, strict=True):
                memory.names |= _bound(loop.target, value)
            self._run_all(loop.body)
            for entering, leaving in carried.items():
                before, after = (self.apart.names[name] for name in (entering, leaving))
                before[...] = after
                self.apart.writers(before)[...] = self.apart.writers(after)

    def _run_one(self, statement: ast.stmt) -> None:
        if statement not in self.statements:  # what it is stays the same in every turn and step
            self.statements[statement] = self._read(statement)
        one = self.statements[statement]
        for name, apart, placed in (found for tree in one.operands for found in self._arrays(tree)):
            self._compare(apart, placed, f"`{one.text}`", name)
            if one.is_product and one.target and np.shares_memory(placed, self.placed.evaluate(one.target)):
                raise InvalidPlan(f"`{one.text}` writes over its own operand {name}")
        if one.target is not None and (shared := _unwritable(self.placed.evaluate(one.target))):
            raise InvalidPlan(f"`{one.text}` writes into {_text(one.target)}, {shared}")
        self._execute(statement)
        if one.target is not None:
            number = next(self.numbers)
            self.written[number] = one.text
            for memory in (self.apart, self.placed):
                memory.writers(memory.evaluate(one.target))[...] = number

    def _read(self, statement: ast.stmt) -> _Written:
        target = _target(statement, self.placed)
        return _Written(_text(statement), target, _operands(statement, target), self._is_product(statement))

    def _is_product(self, statement: ast.stmt) -> bool:
        """Whether a statement calls `np.dot`, by whatever name: it does not look whether its arrays overlap."""
        call = getattr(statement, "value", None)
        function = call.func if isinstance(call, ast.Call) else None
        return isinstance(function, ast.Name) and self.placed.names.get(function.id) is np.dot

    def _execute(self, statement: ast.stmt) -> None:
        for memory in (self.apart, self.placed):
            exec(_code(statement), memory.names)

    def _arrays(self, tree: ast.AST) -> Iterator[tuple[str, Array, Array]]:
        """Yield the arrays that an expression reads, by the largest parts of it that are arrays already."""
        if isinstance(tree, ast.Name | ast.Attribute | ast.Subscript):
            apart, placed = self.apart.evaluate(tree), self.placed.evaluate(tree)
            pairs = list(zip(_flat(apart), _flat(placed), strict=True))
            if pairs and not (isinstance(tree, ast.Subscript) and pairs[0][0].base is None):
                yield from ((_text(tree), *pair) for pair in pairs)
                return
        for child in _parts(tree):
            yield from self._arrays(child)

    def _compare(self, apart: Array, placed: Array, reader: str, name: str) -> None:
        expected, found = self.apart.writers(apart), self.placed.writers(placed)
        if expected.shape != found.shape or (expected != found).any():
            number = int(found[expected != found].max())
            writer = self.written.get(number, "nothing")
            raise InvalidPlan(f"{reader} reads {name}, which `{writer}` has overwritten")
        if self.prepared and id(_owner(placed)) in self.empty and not found.all():
            raise InvalidPlan(f"{reader} reads {name}, of which nothing has written all")


def _names(plan: Plan, module: ModuleType, *, training: bool) -> dict[str, Any]:
    """Return what the statements of a plan may read: the script's own functions, and the arguments of `make_step`."""
    script = vars(module)
    rng = np.random.default_rng(0)
    dtype = np.dtype(float)
    params, grads = (flat_arrays(script["PARAMS"], dtype)[1] for _ in range(2))
    params |= {name: np.empty(shape) for name, shape in script.get("STATE", {}).items()}
    for array in params.values():
        array[...] = rng.uniform(0.5, 1, array.shape)
    grads |= {name: np.empty((EXAMPLES, *shape)) for name, (_, shape) in script["INPUTS"].items()}
    examples = generic_batch({**script["INPUTS"], **script["TARGETS"]}, rng, EXAMPLES)
    arrays = script["training_arrays"](examples, dtype)
    arguments = {"params": params, "grads": grads, "arrays": arrays, "batch": arrays}
    functions = {name: getattr(np, name) for name in plan.functions}
    numbers = {"size": EXAMPLES, "dtype": dtype, TRAINING: training, "d_loss": 1.0, "rng": rng}
    return {**script, **functions, **arguments, **numbers}


def _names_of_prediction(plan: Plan, module: ModuleType, *, training: bool) -> dict[str, Any]:
    """Return what the statements of a plan of predictions may read; its parameters lie anywhere."""
    names = _names(plan, module, training=training)
    params = {name: array.copy()[...] for name, array in names["params"].items()}
    inputs = generic_batch(vars(module)["INPUTS"], np.random.default_rng(0), EXAMPLES)
    given = {name: inputs[name][...] for name in plan.examples}
    return {**names, "params": params, "batch": given}


def _parsed(lines: Sequence[str]) -> list[ast.stmt]:
    return ast.parse("\n".join(lines)).body


@cache
def _code(tree: ast.AST) -> CodeType:
    return _compiled(_text(tree), "exec" if isinstance(tree, ast.stmt) else "eval")


@lru_cache(maxsize=4096)
def _compiled(text: str, mode: str) -> CodeType:
    """Compile a text; the steps of many networks have the same statements."""
    return compile(text, "plan", mode)


@cache
def _parts(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Return what an expression that is no array may find arrays in."""
    inner = (node for node in ast.iter_child_nodes(tree) if isinstance(node, ast.expr | ast.keyword))
    return () if _is_size(tree) else tuple(inner)


@cache
def _makes_empty(expression: ast.expr) -> bool:
    """Whether an expression makes an array of which it writes nothing."""
    calls = (node for node in ast.walk(expression) if isinstance(node, ast.Call))
    return any(_is_call(call, "aligned") and len(call.args) == 2 for call in calls)


@cache
def _text(tree: ast.AST) -> str:
    return tree.id if isinstance(tree, ast.Name) else ast.unparse(tree)


def _address(array: Array) -> int:
    address, _ = array.__array_interface__["data"]
    return int(address)


def _owner(array: Any) -> Array:
    """Return the array whose memory a view shows."""
    while (base := getattr(array, "base", None)) is not None:
        array = base
    return np.asarray(array)


def _flat(value: Any) -> list[Array]:
    if isinstance(value, list | tuple):
        return [array for item in value for array in _flat(item)]
    return [value] if isinstance(value, np.ndarray) else []


def _bound(target: ast.expr, value: Any) -> dict[str, Any]:
    """Return the names that a loop gives to the parts of a value."""
    if isinstance(target, ast.Tuple):
        pairs = zip(target.elts, value, strict=True)
        return {name: part for inner, item in pairs for name, part in _bound(inner, item).items()}
    return {ast.unparse(target): value}


def _target(statement: ast.stmt, memory: _Memory) -> ast.expr | None:
    """Return what a statement writes: the first argument of `copyto`, or `out=`, or else the last array it is given."""
    match statement:
        case ast.Assign(targets=[ast.Subscript() as first, *_]):
            return first
        case ast.Expr(value=ast.Call() as call):
            named = [k.value for k in call.keywords if k.arg == "out"]
            return named[0] if named else _last_array(call, memory)
    return None


def _last_array(call: ast.Call, memory: _Memory) -> ast.expr:
    given = [a for a in call.args if not isinstance(a, ast.Constant)]
    arrays = [a for a in given if isinstance(memory.evaluate(a), np.ndarray)]
    return arrays[0 if _is_call(call, "copyto") else -1]


def _operands(statement: ast.stmt, target: ast.expr | None) -> list[ast.AST]:
    """Return the expressions that a statement reads."""
    if isinstance(statement, ast.Assign):
        return [statement.value]
    call = getattr(statement, "value", None)
    if not isinstance(call, ast.Call):
        return [statement]
    return [a for a in (*call.args, *(k.value for k in call.keywords)) if a is not target]


def _is_call(tree: ast.AST | None, name: str) -> bool:
    return isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == name


def _is_size(tree: ast.AST) -> bool:
    """Whether an expression asks how large an array is, and not for its numbers."""
    return _is_call(tree, "len") or (isinstance(tree, ast.Attribute) and tree.attr in ("shape", "size"))


def _unwritable(array: Array) -> str:
    if not array.flags.writeable:
        return "which is read-only"
    repeated = any(stride == 0 and size > 1 for stride, size in zip(array.strides, array.shape, strict=True))
    return "where several numbers share one place" if repeated else ""
