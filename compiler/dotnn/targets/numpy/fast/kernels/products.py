"""Fast NumPy for the products of attention: matrix products into arrays that exist, in place of `einsum`.

Arrays hold the features first and the batch last. A product with weights is one matrix product per position; the
gradient of the weights is a single one over all positions and examples. Where both factors belong to the batch, they
are copied batch first, so that `matmul` finds a matrix per example and head: the copies cost little beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dotnn.ir.node import Node, Value
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step

MANY = 2**13
"""From how many numbers on, those of an example, a product may be cut into blocks."""


def product(e: Step, left: str, right: str, out: Value, sizes: Sequence[int | str], *, cut: bool) -> None:
    """Write the product of two matrices, [rows, inner] and [inner, columns] as `sizes` says, into a value's array.

    With `cut`, where the second one's rows lie as they are read, the first one is cut where that is faster.
    """
    array = e.out(out)
    if not cut or math.prod(n for n in sizes if isinstance(n, int)) < MANY:
        e.run(f"dot({left}, {right}, {e.rows(out) if e.by_rows(out) else array})")
        return
    count = e.bind(f"{out.name}_count", f"count_of_blocks({', '.join(map(str, sizes))})")
    function = e.bind(f"{out.name}_dot", f"np.dot if {count} == 1 else np.matmul")
    first = e.bind(f"{left}_blocks", f"in_blocks({left}, {count})")
    e.run(f"{function}({first}, {right}, {e.blocks(out, count)})", "small blocks are multiplied where they lie")


def _product(e: Step, node: Node) -> bool:
    """Write a product in Einstein's notation; b is the batch."""
    operands, _, result = node.attrs["equation"].partition("->")
    left, _, right = operands.partition(",")
    if not result.startswith("b"):
        return _weight_gradient(e, node, left, right, result)
    if not node.ins[1].type.batched:
        return _projection(e, node, left, right, result)
    return _pairs(e, node, left, right, result)


def _matrix(e: Step, value: Value, rows: int, hint: str) -> str:
    """Return a name for an array as a matrix of so many rows."""
    return e.bind(f"{value.name}_{hint}", f"{value.name}.reshape({rows}, -1)")


def by_position(e: Step, value: Value) -> str | None:
    """Return a name for a sequence's array with one feature axis, [time, features, batch]; None where it is no view."""
    time, *features = value.type.example
    if len(features) == 1:
        return value.name
    if not e.contiguous(value):
        return None
    return e.bind(f"{value.name}_flat", f"{value.name}.reshape({time}, {math.prod(features)}, size)")


def _projection(e: Step, node: Node, left: str, right: str, result: str) -> bool:
    """x W: features of x against those rows (or columns) of W that are summed over."""
    x, weight = node.ins[:2]
    summed = "".join(letter for letter in right if letter not in result)
    source = by_position(e, x)
    if source is None or left[:2] != result[:2] or left[2:] != summed or node.attrs.get("root"):
        return False
    rows_first = right.startswith(summed)
    rows = math.prod(weight.type.example[: len(summed) if rows_first else len(right) - len(summed)])
    matrix = _matrix(e, weight, rows, "matrix")
    matrix = e.bind(f"{matrix}_T", f"{matrix}.T") if rows_first else matrix
    return times_matrix(e, source, matrix, node.out, node.ins[2:])


def times_matrix(e: Step, source: str, matrix: str, result: Value, bias: Sequence[Value] = ()) -> bool:
    """Multiply the features of every position, [time, features, batch], by a matrix from the left, and add a bias."""
    e.out(result)
    out = by_position(e, result)
    assert out is not None
    e.run(f"matmul({matrix}, {source}, {out})")
    for vector in bias:
        column = e.bind(f"{vector.name}_column", f"{vector.name}[..., None]")
        e.run(f"add({result.name}, {column}, {result.name})")
    return True


def _weight_gradient(e: Step, node: Node, left: str, right: str, result: str) -> bool:
    """The gradient by W: a sum over all positions and examples."""
    a, d = node.ins[:2]
    if left[:2] != right[:2] or result != left[2:] + right[2:] or node.attrs.get("root"):
        return False
    return sum_of_products(e, a, d, node.out)


def sum_of_products(e: Step, a: Value, d: Value, result: Value) -> bool:
    """Sum the products of every feature of one sequence with every feature of the other, over time and batch."""
    factors = by_position(e, a), by_position(e, d)
    if factors[0] is None or factors[1] is None:
        return False
    left, right = _columns(e, a, factors[0], "columns"), _columns(e, d, factors[1], "other_columns")
    out = e.out(result)
    matrix = out if len(result.type.example) == 2 else _matrix(e, result, math.prod(a.type.example[1:]), "matrix")
    e.run(f"dot({left}, {e.bind(f'{right}_T', f'{right}.T')}, {matrix})", "all steps at once")
    return True


def _columns(e: Step, value: Value, source: str, hint: str) -> str:
    """Copy a sequence so that every step of every example is a column; return the name of the matrix."""
    time, *features = value.type.example
    copy = e.scratch(hint, math.prod(features), time, "size")
    e.run(f"copyto({copy}, {e.bind(f'{source}_by_features', f'{source}.swapaxes(0, 1)')})")
    return e.bind(f"{copy}_matrix", f"{copy}.reshape({math.prod(features)}, -1)")


def _pairs(e: Step, node: Node, left: str, right: str, result: str) -> bool:
    """A matrix product per example (and head)."""
    a, c = node.ins
    shared = "".join(letter for letter in left if letter in right and letter in result)
    inner = "".join(letter for letter in left if letter in right and letter not in result)
    rows, columns = _without(left, right), _without(right, left)
    if not len(inner) == len(rows) == len(columns) == 1 or not shared.startswith("b"):
        return False
    sizes = {**_sizes(left, a), **_sizes(right, c)}
    first = _gathered(e, a, left, shared + rows + inner, sizes, "first", node.attrs.get("root", 0))
    second = _gathered(e, c, right, shared + inner + columns, sizes, "second")
    order = shared + rows + columns
    product = e.scratch("product", *_dims(order, sizes))
    out = e.out(node.out)
    e.run(f"matmul({first}, {second}, {product})")
    e.run(f"copyto({_turned(e, out, result, order)}, {product})")
    return True


def _without(letters: str, others: str) -> str:
    return "".join(letter for letter in letters if letter not in others)


def _sizes(letters: str, value: Value) -> dict[str, int]:
    return dict(zip(letters[1:], value.type.example, strict=True))


def _dims(letters: str, sizes: dict[str, int]) -> list[int | str]:
    return ["size" if letter == "b" else sizes[letter] for letter in letters]


def _turned(e: Step, name: str, letters: str, order: str) -> str:
    """Return a name for an array's view with the axes in another order; its own order is the letters', b last."""
    held = letters[1:] + "b"
    axes = ", ".join(str(held.index(letter)) for letter in order)
    return e.bind(f"{name}_by_{order}", f"{name}.transpose({axes})")


def _gathered(e: Step, value: Value, letters: str, order: str, sizes: dict[str, int], hint: str, root: int = 0) -> str:
    """Copy an array, batch first, divided by the square root of `root` if that is not 0."""
    view = _turned(e, value.name, letters, order)
    copy = e.scratch(hint, *_dims(order, sizes))
    if root:
        e.run(f"multiply({view}, {e.number('per_root', f'{root} ** -0.5')}, {copy})")
    else:
        e.run(f"copyto({copy}, {view})")
    return copy


EINSUM = Kernel("einsum", _product)
