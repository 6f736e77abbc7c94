"""Frozen records that cost nothing to define.

`dataclass` writes and compiles the methods of each class anew: for the twenty classes of expressions that took 10 ms,
one fortieth of the time in which a small spec is compiled.
"""

from __future__ import annotations

import inspect
from typing import ClassVar, dataclass_transform


@dataclass_transform(frozen_default=True)
class Frozen:
    """A record of the fields that a class annotates, in their order; compared by class and by what they hold."""

    __slots__ = ("__dict__", "_hash")  # the hash is asked for again and again, and a deep record's takes long
    __match_args__: ClassVar[tuple[str, ...]] = ()
    _uncompared: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        own = [name for name in inspect.get_annotations(cls) if not name.startswith("_")]
        cls.__match_args__ = (*cls.__match_args__, *own)  # type: ignore[misc]

    def __init__(self, *values: object, **named: object) -> None:
        if not named and len(values) == len(self.__match_args__):
            self.__dict__.update(zip(self.__match_args__, values, strict=True))
            return
        fields = dict(zip(self.__match_args__, values, strict=False)) | named
        missing = [name for name in self.__match_args__ if name not in fields and not hasattr(self, name)]
        if missing or len(values) > len(self.__match_args__) or not fields.keys() <= {*self.__match_args__}:
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(self.__match_args__)}")
        self.__dict__.update(fields)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} does not change")

    def _compared(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__match_args__ if name not in self._uncompared)

    def __eq__(self, other: object) -> bool:
        return self is other or (type(self) is type(other) and self._compared() == other._compared())

    def __hash__(self) -> int:
        kept: int | None = getattr(self, "_hash", None)
        if kept is None:
            kept = hash((type(self), self._compared()))
            object.__setattr__(self, "_hash", kept)
        return kept

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(getattr(self, name)) for name in self.__match_args__)})"
