"""Images as planes [channel, row, column, example], with and without a border, for convolution and pooling.

All of it holds for sequences, with one axis less.
"""

from __future__ import annotations

from dotnn.ir.node import Value
from dotnn.library.ops.windows import sizes
from dotnn.targets.numpy.fast.kernels.base import Step

Sizes = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]


def planes(e: Step, value: Value) -> str:
    """Return the name of a view of a value with the channels in front."""
    return e.bind(f"{value.name}_planes", f"np.moveaxis({value.name}, {len(sizes(value.type))}, 0)")


def dims(value: Value) -> Sizes:
    """Return the channels, then the lengths of the other axes."""
    return (value.type.example[-1], *sizes(value.type))


def _solid(e: Step, value: Value) -> str:
    """Return contiguous planes of a value: its own, or a copy that is made once a step."""
    if e.planar(value):
        return planes(e, value)
    copy, made = e.workspace(f"{value.name}_copy", (*dims(value), "size"), ("copy", value.id))
    if not made:
        e.run(f"copyto({copy}, {planes(e, value)})")
    return copy


def matrices(e: Step, value: Value, groups: int = 1) -> str:
    """Return a value as one matrix per group, [channel, place and example]."""
    source = f"np.moveaxis({value.name}, 2, 0)" if e.planar(value) else _solid(e, value)
    return e.bind(f"{value.name}_matrix", f"{source}.reshape({groups}, {value.type.example[-1] // groups}, -1)")


def bordered(e: Step, x: Value, pad: Pads, border: str = "0") -> str:
    """Return contiguous planes of x with a border around them."""
    if not any(map(any, pad)):
        return _solid(e, x)
    shape: tuple[int | str, ...] = (*_widened(x, pad), "size")
    whole, made = e.workspace(f"{x.name}_bordered", shape, ("border", x.id, pad, border), border)
    if not made:
        e.run(f"copyto({e.bind(f'{x.name}_middle', f'inside({whole}, {pad})')}, {planes(e, x)})")
    return whole


def _widened(x: Value, pad: Pads) -> Sizes:
    return (x.type.example[-1], *(n + sum(border) for n, border in zip(sizes(x.type), pad, strict=True)))


def receiver(e: Step, value: Value, pad: Pads) -> str:
    """Return planes that contributions are added to; with a border, which `received` cuts off."""
    e.out(value)
    if not any(map(any, pad)):
        return planes(e, value)
    shape = _widened(value, pad)
    return e.workspace(f"{value.name}_bordered", (*shape, "size"), ("receiver", shape))[0]


def received(e: Step, value: Value, pad: Pads, whole: str) -> None:
    """Cut the border off what `receiver` gave."""
    if any(map(any, pad)):
        e.run(f"copyto({planes(e, value)}, {e.bind(f'{value.name}_middle', f'inside({whole}, {pad})')})")


def kernel_size(weight: Value) -> Sizes:
    """Return the lengths of a kernel's axes, without its channels."""
    return tuple(n for n in weight.type.shape[:-2] if isinstance(n, int))
