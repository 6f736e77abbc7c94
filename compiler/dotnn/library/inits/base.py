"""What an initialiser is: one NumPy expression that draws an array of a given shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dotnn.core.arguments import Arg, Attrs


@dataclass(frozen=True)
class Init:
    """One initialiser.

    `numpy` is a template over `{shape}`, `{n_in}`, `{n_out}` and the attributes, or a function from the attributes
    to one. `numpy` is None for values from a file, which the emitter writes as literals or reads when it runs.
    Source of the formula in `doc`. `rescaled`: by the examples, layer by layer, before training (`unit_variance`).
    `definition` is what a spec says that defines it, "" for one of the language.
    """

    name: str
    doc: str
    numpy: str | Callable[[Attrs], str] | None
    args: tuple[Arg, ...] = ()
    helpers: tuple[str, ...] = ()
    rescaled: bool = False
    definition: str = ""

    def line(self, shape: tuple[int, ...], attrs: Attrs) -> str:
        """Return the NumPy expression that draws an array of `shape` from the generator `rng`."""
        assert self.numpy is not None
        template = self.numpy if isinstance(self.numpy, str) else self.numpy(attrs)
        n_in, n_out = fans(shape)
        return template.format(shape=shape, n_in=n_in, n_out=n_out, **attrs)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return fan-in and fan-out as Keras counts them: a kernel's receptive field multiplies both."""
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    field = 1
    for size in shape[:-2]:
        field *= size
    return field * shape[-2], field * shape[-1]
