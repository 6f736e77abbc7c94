"""Small, typical mistakes in one line of a backward pass.

Every operator is a function from a node of a line's syntax tree to the faulty versions of that node; `whole` ones take
the right side of the line, all others any expression in it. The docstring is what the documentation says about it.
"""

import ast
import copy
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

PROLOGUE = '''

def one_element_off(array):
    """One element, the largest, 1% too large."""
    array = np.array(array, order="C")
    array.reshape(-1)[np.abs(array).argmax()] *= 1.01
    return array
'''
"""What faulty lines call."""


@dataclass(frozen=True)
class Line:
    """The line under attack: the name it assigns, its right side, and what else its function knows.

    `steps` are the values of the forward pass at a step, where the line stands in a loop over time; `batch` is the
    number of examples that the validator takes first.
    """

    name: str
    value: ast.expr
    cached: Collection[str] = ()
    known: Collection[str] = ()
    steps: Collection[str] = ()
    batch: int = 5


Operator = Callable[[ast.expr, Line], Iterator[ast.expr]]


@dataclass
class _Registry:
    """The operators by name: those of whole lines and those of their parts."""

    whole: dict[str, Operator] = field(default_factory=dict)
    part: dict[str, Operator] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, Operator]:
        """All of them."""
        return self.whole | self.part


OPERATORS = _Registry()


def whole(function: Operator) -> Operator:
    """Register an operator on the right side of a line."""
    OPERATORS.whole[function.__name__] = function
    return function


def part(function: Operator) -> Operator:
    """Register an operator on any expression of a line."""
    OPERATORS.part[function.__name__] = function
    return function


def filled(text: str, **parts: ast.expr) -> ast.expr:
    """Parse `text` with placeholders replaced by expressions."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node):
            return copy.deepcopy(parts.get(node.id, node))

    return Fill().visit(ast.parse(text, mode="eval").body)


def is_op(node: ast.AST, *ops: type[ast.operator]) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ops)


def is_call(node: ast.AST, *functions: str) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in functions


def is_sum(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sum"


def axis_of(node: ast.Call) -> str:
    return next((ast.unparse(k.value) for k in node.keywords if k.arg == "axis"), "")


def is_batch_sum(node: ast.AST) -> bool:
    return is_sum(node) and axis_of(node) not in ("", "-1")


# ------------------------------------------------------------------------------------------------- whole lines


@whole
def sign(node, line):
    """the whole line with the wrong sign"""
    yield filled("-a", a=node)


@whole
def one_percent(node, line):
    """the whole line times 1.01"""
    yield filled("a * 1.01", a=node)


@whole
def one_element(node, line):
    """one element times 1.01"""
    yield filled("one_element_off(a)", a=node)


@whole
def cut_off(node, line):
    """nothing is sent back: a path of a fan-out or a residual branch is forgotten"""
    yield filled("a * 0", a=node)


@whole
def penalty_on_bias(node, line):
    """the weights' penalty also put on the bias"""
    parameter = line.name.removeprefix("d_")
    if parameter.endswith("_b"):
        yield filled(f'a + d_loss * 0.02 * params["{parameter[:-2]}.b"]', a=node)


# ------------------------------------------------------------------------------------------- products and sums


@part
def dropped_transpose(node, line):
    """a `.T` forgotten"""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value


@part
def transposed_product(node, line):
    """a product transposed"""
    if is_op(node, ast.MatMult):
        yield filled("(a @ b).T", a=node.left, b=node.right)


@part
def swapped_operands(node, line):
    """the operands of a product, a difference or a quotient swapped: `t - y` for `y - t`"""
    if is_op(node, ast.MatMult, ast.Sub, ast.Div):
        yield ast.BinOp(node.right, node.op, node.left)


@part
def dropped_batch_sum(node, line):
    """the sum over the examples forgotten"""
    if is_batch_sum(node):
        yield filled("a[0]", a=node.func.value)


@part
def averaged_batch_sum(node, line):
    """a mean where a sum over the examples belongs"""
    if is_batch_sum(node):
        yield filled(f"a.mean(axis={axis_of(node)})", a=node.func.value)


@part
def wrong_axis(node, line):
    """a sum over the wrong axis"""
    if is_sum(node) and axis_of(node):
        other = "0" if "-1" in axis_of(node) else "1"
        keep = ", keepdims=True" if any(k.arg == "keepdims" for k in node.keywords) else ""
        yield filled(f"a.sum(axis={other}{keep})", a=node.func.value)


@part
def dropped_term(node, line):
    """a term of a sum dropped: a use of a shared weight, a path, a penalty, half of a softmax's Jacobian"""
    if is_op(node, ast.Add, ast.Sub):
        yield node.left
        yield node.right if is_op(node, ast.Add) else filled("-a", a=node.right)


@part
def doubled_term(node, line):
    """a term of a sum counted twice"""
    if is_op(node, ast.Add):
        yield filled("a + a + b", a=node.left, b=node.right)
        yield filled("a + b + b", a=node.left, b=node.right)


@part
def wrong_inner_sign(node, line):
    """a plus for a minus, a minus for a plus"""
    if is_op(node, ast.Add, ast.Sub):
        yield ast.BinOp(node.left, ast.Sub() if is_op(node, ast.Add) else ast.Add(), node.right)


@part
def lost_minus(node, line):
    """a minus sign lost"""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield node.operand


# ----------------------------------------------------------------------------------------- factors and divisors


@part
def softmax_jacobian(node, line):
    """softmax's Jacobian with its sum unweighted (`d - sum d` for `d - sum d p`), or its diagonal alone"""
    if is_op(node, ast.Sub) and is_sum(node.right) and is_op(node.right.func.value, ast.Mult):
        cotangent, p = node.left, node.right.func.value.right
        yield filled("d - d.sum(axis=-1, keepdims=True)", d=cotangent)
        yield filled("d * (1 - p)", d=cotangent, p=p)


@part
def partial_divisor(node, line):
    """1/B without 1/n, or 1/n without 1/B"""
    if is_op(node, ast.Div) and is_op(node.right, ast.Mult):
        yield filled("a / b", a=node.left, b=node.right.left)
        yield filled("a / b", a=node.left, b=node.right.right)


@part
def lost_factor(node, line):
    """a factor dropped: the 2 of a square, a mask, a slope, a loss's weight, the cotangent itself"""
    if is_op(node, ast.Mult):
        yield node.left
        yield node.right


@part
def missed_divisor(node, line):
    """a division forgotten: the 1/B of a mean, the 1/n of an average"""
    if is_op(node, ast.Div):
        yield node.left


@part
def repeated_divisor(node, line):
    """a division done twice"""
    if is_op(node, ast.Div):
        yield filled("a / b / b", a=node.left, b=node.right)


@part
def wrong_constant(node, line):
    """a constant a little off: a slope, an alpha, a delta, a strength"""
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield ast.Constant(node.value * 1.1)


@part
def lost_constant(node, line):
    """a slope of one where the parameter stands: leaky_relu, elu, huber"""
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield ast.Constant(1.0)


@part
def lost_keep_rate(node, line):
    """dropout's mask without its 1/rho"""
    if isinstance(node, ast.Name) and node.id.endswith("_mask"):
        yield filled("(a > 0)", a=node)


@part
def lost_smoothing(node, line):
    """label smoothing forgotten in the backward pass"""
    if is_call(node, "smooth"):
        yield node.args[0]


# ------------------------------------------------------------------------------------ operands of derivatives


@part
def input_for_output(node, line):
    """z where a rule wants a, as in 1 - a²; or a where it wants z"""
    if isinstance(node, ast.Name):
        other = node.id.removesuffix("_z") if node.id.endswith("_z") else f"{node.id}_z"
        if node.id in line.cached and other in line.cached:
            yield filled(f'cache["{other}"]')


@part
def skipped_activation(node, line):
    """the cotangent of a where that of z is wanted: an activation's derivative forgotten"""
    if isinstance(node, ast.Name) and node.id.startswith("d_") and node.id.endswith("_z"):
        before = node.id.removesuffix("_z")
        if before in line.known:
            yield ast.Name(before, ast.Load())


@part
def wrong_slope_function(node, line):
    """the function itself, or its argument, where its slope belongs"""
    if isinstance(node, ast.Call) and len(node.args) in (1, 2) and isinstance(node.func, ast.Name):
        if node.func.id.endswith("_slope"):
            yield ast.Call(ast.Name(node.func.id.removesuffix("_slope"), ast.Load()), node.args, [])
            yield node.args[0]
        elif node.func.id in ("sigmoid", "softmax"):
            yield node.args[0]
    if is_call(node, "np.exp", "np.sign"):
        yield node.args[0]


@part
def wrong_operand(node, line):
    """another value of the cache with the same shape, where all sizes are equal"""
    if isinstance(node, ast.Name) and node.id in line.cached:
        for other in sorted(set(line.cached) - {node.id}):
            yield filled(f'cache["{other}"]')


# ------------------------------------------------------------------------------------------ kernels and windows


def _of_convolution(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and re.search(r"^(per_group\()?conv([12]d|olve)", ast.unparse(node)) is not None


def _keyword(node: ast.Call, name: str) -> ast.keyword | None:
    return next((k for k in node.keywords if k.arg == name), None)


def _with_keyword(node: ast.Call, name: str, text: str) -> ast.expr:
    changed = copy.deepcopy(node)
    _keyword(changed, name).value = ast.parse(text, mode="eval").body
    return changed


def _entries(node: ast.Call, name: str) -> tuple | None:
    """The value of a keyword, one entry per axis."""
    keyword = _keyword(node, name) if isinstance(node, ast.Call) else None
    if keyword is None:
        return None
    value = ast.literal_eval(keyword.value)
    alone = isinstance(value, int) or (name == "pad" and isinstance(value[0], int))
    return (value,) if alone else value


def _one_per_axis(entries: tuple) -> str:
    return str(entries if len(entries) > 1 else entries[0])


def _other_kernel(node, turned):
    """A convolution with its kernel turned round, or the gradient of its kernel so."""
    if not _of_convolution(node):
        return
    if "d_weight" in ast.unparse(node):
        yield filled(turned, w=node)
    else:
        changed = copy.deepcopy(node)
        changed.args[-1] = filled(turned, w=node.args[-1])
        yield changed


@part
def flipped_kernel(node, line):
    """a kernel upside down: a true convolution where a cross-correlation belongs"""
    yield from _other_kernel(node, "w[::-1]")


@part
def transposed_kernel(node, line):
    """a kernel with its input and output channels exchanged"""
    yield from _other_kernel(node, "np.swapaxes(w, -1, -2)")


@part
def shifted_border(node, line):
    """a border one too far to one side: (1, 2) for (2, 1)"""
    pads = _entries(node, "pad")
    for axis, (low, high) in enumerate(pads or ()):
        for by in (1, -1):
            if low + by >= 0 and high - by >= 0:
                moved = (*pads[:axis], (low + by, high - by), *pads[axis + 1 :])
                yield _with_keyword(node, "pad", _one_per_axis(moved))


@part
def wrong_stride(node, line):
    """a stride or a dilation one too small"""
    for name in ("stride", "dilation"):
        steps = _entries(node, name)
        for axis, step in enumerate(steps or ()):
            if step > 1:
                yield _with_keyword(node, name, _one_per_axis((*steps[:axis], step - 1, *steps[axis + 1 :])))


@part
def dropped_group(node, line):
    """the last group of channels left out"""
    if is_call(node, "per_group"):
        yield filled("a * (np.arange(a.shape[-1]) < a.shape[-1] // 2)", a=node)


@part
def other_pooling(node, line):
    """the gradient of a mean where that of a maximum belongs"""
    if is_call(node, "max_pool1d_d_input", "max_pool2d_d_input"):
        d, x, _, *where = node.args
        size = filled("x.shape[1:-1]" if "2d" in node.func.id else "x.shape[1]", x=x)
        yield ast.Call(ast.Name(node.func.id.replace("max", "avg"), ast.Load()), [d, size, *where], node.keywords)
    if is_call(node, "block_max_d_input"):
        d, _, _, rows, columns = node.args
        mean = "np.repeat(np.repeat(d, rows, axis=1), columns, axis=2) / (rows * columns)"
        yield filled(mean, d=d, rows=rows, columns=columns)
    if is_call(node, "max_global_d_input"):
        d, x = node.args
        yield filled("x * 0 + d.reshape(len(d), *([1] * (x.ndim - 2)), -1) / x[0, ..., 0].size", d=d, x=x)


# ------------------------------------------------------------------------------------------ branches and indices

_LOOSER = {ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt}
_TURNED = {ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Lt: ast.GtE, ast.LtE: ast.Gt}


@part
def tie(node, line):
    """`>=` for `>` and the like: wrong on the edge alone"""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _LOOSER:
        yield ast.Compare(node.left, [_LOOSER[type(node.ops[0])]()], node.comparators)


@part
def turned_comparison(node, line):
    """`<=` for `>`: the wrong side of a branch"""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _TURNED:
        yield ast.Compare(node.left, [_TURNED[type(node.ops[0])]()], node.comparators)


@part
def swapped_branches(node, line):
    """the two values of `np.where` swapped, or one of them on both sides"""
    if is_call(node, "np.where"):
        condition, yes, no = node.args
        yield filled("np.where(c, b, a)", c=condition, a=yes, b=no)
        yield filled("np.where(c, a, a)", c=condition, a=yes)
        yield filled("np.where(c, b, b)", c=condition, b=no)


@part
def shifted_columns(node, line):
    """columns taken one off: the parts of a concatenation, the branch of a selection"""
    if isinstance(node, ast.Slice) and isinstance(node.lower, ast.Constant) and isinstance(node.upper, ast.Constant):
        low, high = node.lower.value, node.upper.value
        for by in (1, -1) if low else (1,):
            yield ast.Slice(ast.Constant(low + by), ast.Constant(high + by))


@part
def column_order(node, line):
    """a reshape that runs through the elements in the other order"""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "reshape":
        turned = copy.deepcopy(node)
        turned.keywords.append(ast.keyword("order", ast.Constant("F")))
        yield turned


# ------------------------------------------------------------------------------------------------ loops over time


@part
def lost_mask(node, line):
    """the mask of padded steps forgotten"""
    if is_call(node, "np.where"):
        values = [a for a in node.args[1:] if not isinstance(a, ast.Constant)]
        if len(values) == 1:
            yield values[0]


@part
def swapped_gates(node, line):
    """two gates swapped where their gradients are put together"""
    if is_call(node, "np.concatenate") and isinstance(node.args[0], ast.List):
        parts = node.args[0].elts
        for k in range(len(parts) - 1):
            order = [*parts[:k], parts[k + 1], parts[k], *parts[k + 2 :]]
            yield ast.Call(node.func, [ast.List(order, ast.Load())], node.keywords)


@part
def wrong_gate(node, line):
    """another gate's value, or the state, in an activation's derivative"""
    if is_op(node, ast.Sub) and isinstance(node.left, ast.Constant):
        used = {part.id for part in ast.walk(node.right) if isinstance(part, ast.Name)}
        for other in sorted(set(line.steps) - used) if len(used) == 1 else ():
            yield filled("1 - a * a" if is_op(node.right, ast.Mult) else "1 - a", a=ast.Name(other, ast.Load()))


@part
def hard_coded_batch(node, line):
    """the number of examples that the validator happens to take, in place of B"""
    if is_call(node, "len"):
        yield ast.Constant(line.batch)


LoopOperator = Callable[[ast.For, list[str]], Iterator[tuple[int, str, set[str]]]]
LOOPS: dict[str, LoopOperator] = {}
"""What can be done to a loop over time: each yields the number of a line, its new text, and the names whose values a
faulty line spoils first; no name where the loop as a whole is wrong."""


def of_loop(function: LoopOperator) -> LoopOperator:
    """Register an operator on a loop."""
    LOOPS[function.__name__] = function
    return function


CALLS = ast.BinOp | ast.Call


def carried(loop: ast.For) -> list[tuple[ast.Assign, int]]:
    """The parts of the assignments `a, b = c, d` of a loop, which hand over states and pieces of sequences."""
    found = []
    for node in loop.body:
        pairs = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple | ast.Name)
        if pairs and len(parts_of(node.value)) == len(parts_of(node.targets[0])) and not isinstance(node.value, CALLS):
            found += [(node, k) for k in range(len(parts_of(node.targets[0])))]
    return found


def parts_of(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def with_part(node: ast.Assign, k: int, value: str) -> str:
    """The text of an assignment with one of its right sides replaced."""
    right = [ast.unparse(part) for part in parts_of(node.value)]
    right[k] = value
    return f"{', '.join(map(ast.unparse, parts_of(node.targets[0])))} = {', '.join(right)}"


@of_loop
def truncated_time(loop, lines):
    """a loop over time that leaves out a step: the first or the last"""
    head = lines[loop.lineno - 1].strip()
    steps = next(part.value for part in ast.walk(loop.iter) if isinstance(part, ast.Constant))
    for less in (f"range({steps - 1})", f"range(1, {steps})"):
        yield loop.lineno, head.replace(f"range({steps})", less), set()


@of_loop
def wrong_direction(loop, lines):
    """a loop over time in the wrong direction"""
    head, inner = lines[loop.lineno - 1].strip(), ast.unparse(loop.iter)
    turned = inner.removeprefix("reversed(")[:-1] if inner.startswith("reversed") else f"reversed({inner})"
    yield loop.lineno, head.replace(inner, turned), set()


@of_loop
def lost_carry(loop, lines):
    """what the next step sends back forgotten: the carry of h or of c"""
    for node, k in carried(loop):
        name = ast.unparse(parts_of(node.targets[0])[k])
        if name.endswith("_next"):
            yield node.lineno, with_part(node, k, f"np.zeros_like({ast.unparse(parts_of(node.value)[k])})"), {name}


@of_loop
def shifted_step(loop, lines):
    """the record, or the piece of a sequence, of another step where that of the step belongs"""
    for node in loop.body:
        if isinstance(node, ast.Assign) and (before := _step_before(node.value, loop)):
            left = ast.unparse(node.targets[0]).strip("()")
            names = {ast.unparse(part) for part in parts_of(node.targets[0])}
            yield node.lineno, f"{f'({left})' if left.endswith(',') else left} = {before}", names


def _step_before(value: ast.expr, loop: ast.For) -> str:
    """`steps[t - 1]` for `steps[t]`, `x[:, k - 1]` for `x[:, k]`; "" where an expression is no such piece."""
    step, text = ast.unparse(loop.target), ast.unparse(value)
    ends = [end for end in (f"[{step}]", f"[:, {step}]") if text.endswith(end)]
    return f"{text[:-1]} - 1]" if isinstance(value, ast.Subscript) and ends else ""


@of_loop
def last_step_alone(loop, lines):
    """the gradient of one step where the sum over time belongs"""
    for node in loop.body:
        if isinstance(node, ast.AugAssign):
            yield node.lineno, f"{ast.unparse(node.target)} = {ast.unparse(node.value)}", {ast.unparse(node.target)}
