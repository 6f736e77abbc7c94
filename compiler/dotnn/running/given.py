"""What a program gives where the command line has options: arrays and names, refused as `CompileError`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from dotnn.core.diagnostics import CompileError, Diagnostic, closest


def arrays_of(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return values as arrays by name. Raises `CompileError` for rows of different lengths."""
    found = {}
    for name, value in values.items():
        try:
            found[name] = np.asarray(value)
        except ValueError:
            message = f"{name} is no array: its rows have different lengths, or different shapes"
            raise CompileError([Diagnostic("NN403", message, help="give as many numbers in each row")]) from None
    return found


def check_name(kind: str, name: str, known: Collection[str]) -> None:
    """Raise `CompileError` for a name that there is not; `kind` says of what it is one."""
    if name not in known:
        near = closest(name, known)
        help = (f'did you mean "{near}"? ' if near else "") + f"there is: {', '.join(known)}"
        raise CompileError([Diagnostic("NN234", f'there is no {kind} "{name}"', help=help)])


def of_one(values: tuple[Any, ...], inputs: Mapping[str, Any], names: Collection[str]) -> dict[str, np.ndarray]:
    """Return the inputs of a prediction by name; a value without a name is that of the only input.

    Raises `CompileError` for values whose input is not clear.
    """
    if values and (len(values) > 1 or len(names) != 1 or inputs):
        message = "a value without a name is the one of the only input"
        help = f"name each: predict({', '.join(f'{name}=…' for name in names)})"
        raise CompileError([Diagnostic("NN234", message, help=help)])
    return arrays_of({name: value for name in names for value in values} or inputs)
