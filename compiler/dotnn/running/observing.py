"""What a script computes, as it computes it: the value of each statement that has a site.

The script is run as it is, and looked at after every statement.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import getitem
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from dotnn.codegen.site import Site

Array = np.ndarray
CONTRACT = ("forward", "total_loss", "backward", "renew_state")


@dataclass
class Observed:
    """Values by name: `whole` those that are computed once, `steps` those of loops, in the order of their steps."""

    whole: dict[str, Array] = field(default_factory=dict)
    steps: dict[str, list[Array]] = field(default_factory=dict)


@dataclass
class _Frame:
    """A running function: its path, how many calls it has made, and the line of the statement that it is in."""

    path: tuple[int, ...]
    calls: int = 0
    line: int = 0


class Observer:
    """Looks on while a script runs; `sites` say where its values are.

    `turns` says of every value how often its statement had run before: one statement serves all equal uses.
    """

    def __init__(self, module: ModuleType, text: str, sites: Mapping[str, Site]) -> None:
        self.file = module.forward.__code__.co_filename
        self.observed = Observed()
        self.functions = {*CONTRACT, *(site.function for site in sites.values())}
        self.named: dict[tuple[str, tuple[int, ...], int], list[tuple[str, Site]]] = {}
        for name, site in sites.items():
            self.named.setdefault((site.function, site.path, site.line), []).append((name, site))
        self.lines = {(site.function, site.line) for site in sites.values()}
        self.ends = _last_lines(text, {site.line: site.statements for site in sites.values()})
        self.frames: list[_Frame] = []
        self.executions: Counter[tuple[str, int]] = Counter()
        self.turns: dict[str, int] = {}

    def run(self, call: Callable[[], Any]) -> Any:
        """Return what a call returns, and note the values on the way."""
        before = sys.gettrace()
        sys.settrace(self._call)
        try:
            return call()
        finally:
            sys.settrace(before)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != self.file or frame.f_code.co_name not in self.functions:
            return None
        path: tuple[int, ...] = ()
        if self.frames:
            around = self.frames[-1]
            path = (*around.path, around.calls)
            around.calls += 1
        self.frames.append(_Frame(path))
        return self._within

    def _within(self, frame: FrameType, event: str, argument: Any) -> Any:
        state, function, line = self.frames[-1], frame.f_code.co_name, frame.f_lineno
        is_line = event == "line"
        if state.line and not (is_line and state.line <= line <= self.ends[state.line]):
            for name, site in self.named.get((function, state.path, state.line), ()):
                self.turns.setdefault(name, self.executions[function, state.line])
                self._note(name, site, frame, argument)
            self.executions[function, state.line] += 1
            state.line = 0
        if is_line and (function, line) in self.lines:
            state.line = line
        if event == "return":
            self.frames.pop()
        return self._within

    def _note(self, name: str, site: Site, frame: FrameType, returned: Any) -> None:
        value = np.array(_found(site.target, frame) if site.target else reduce(getitem, site.at, returned))
        if site.in_loop:
            self.observed.steps.setdefault(name, []).append(value)
        else:
            self.observed.whole[name] = value


def _found(target: str, frame: FrameType) -> Any:
    """Return what a statement has assigned to: a name, or an entry of a dict."""
    return eval(target, {}, dict(frame.f_locals))


def _last_lines(text: str, counts: Mapping[int, int]) -> dict[int, int]:
    """Return the last lines of the statements that begin in some lines: of so many, one after the other."""
    ends: dict[int, int] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt):
            ends[node.lineno] = max(ends.get(node.lineno, 0), node.end_lineno or node.lineno)
    return {line: _end(line, count, ends) for line, count in counts.items() if line in ends}


def _end(line: int, count: int, ends: Mapping[int, int]) -> int:
    while count > 1:
        line, count = ends[line] + 1, count - 1
    return ends[line]
