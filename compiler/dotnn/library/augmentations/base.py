"""What an augmentation is: what it draws for each example, and what it makes of an array with that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dotnn.core.arguments import Arg, Attrs, Kind, number

Shape = tuple[int, ...]

SHARE: Kind[float] = number("a number between 0 and 1", lambda v: 0 < v < 1)


@dataclass(frozen=True)
class Augmentation:
    """One way to change examples at random; arrays that it names together are changed alike.

    of       what it is of where it names nothing: every input that is an "image", every "input" of real numbers, or
             "all" real inputs and targets, of which it then names none
    draws    what is drawn, by name: an expression over `rng` and `count`, given the arguments and the shape of one
             example of the first array
    apply    the array that is made of `{values}` and of what was drawn, a function of `dotnn_runtime.script`
    misfit   what is wrong with the shape of an example, "" for nothing
    source   where it comes from
    """

    name: str
    doc: str
    args: tuple[Arg, ...]
    draws: Callable[[Attrs, Shape], Mapping[str, str]]
    apply: Callable[[Attrs], str]
    of: str = "image"
    misfit: Callable[[Attrs, Shape], str] = lambda attrs, shape: ""
    source: str = ""
