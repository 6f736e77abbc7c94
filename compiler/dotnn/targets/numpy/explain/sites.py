"""Where a script computes each value of the graph: in which call of which function, under which name, in which line.

One function serves all equal uses of a block or layer. Its text is that of one of them, but all call their values the
same; so the body that a use would have had, had it a function of its own, says what its values are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from dotnn.codegen import tree
from dotnn.codegen.printer import Mark
from dotnn.codegen.site import Site
from dotnn.targets.numpy.explain.calls import Call

Bodies = Mapping[str, Sequence[tree.Stmt]]
"""The statements of `forward`, `total_loss`, `backward` and `renew_state` of a call, by the name of that function."""


def sites(
    root: Call, bodies: Mapping[Call, Bodies], names: Mapping[Call, str], marks: Iterable[Mark]
) -> dict[str, Site]:
    """Return the site of every value that has a statement, by the value's name in the graph.

    `bodies` are what each call would have had, `names` the functions that serve them, `marks` the lines of the script.
    """
    lines = {(mark.function, mark.target, mark.origin.op): mark for mark in marks}
    found: dict[str, Site] = {}
    for phase in ("forward", "backward"):
        for call, path in _paths(root, phase):
            for function, body in bodies[call].items():
                if (function == "backward") == (phase == "backward"):
                    name = function if call is root else names[call] + "_backward" * (phase == "backward")
                    _of_body(body, path, name, lines, found)
    return found


def _paths(call: Call, phase: str, path: tuple[int, ...] = ()) -> Iterator[tuple[Call, tuple[int, ...]]]:
    yield call, path
    for number, inner in enumerate(call.calls(phase)):
        yield from _paths(inner, phase, (*path, number))


def _of_body(
    body: Sequence[tree.Stmt],
    path: tuple[int, ...],
    function: str,
    lines: Mapping[tuple[str, str, str], Mark],
    found: dict[str, Site],
    *,
    in_loop: bool = False,
) -> None:
    for stmt, after in zip_longest(body, body[1:]):
        if isinstance(stmt, tree.For):
            _of_body(stmt.body, path, function, lines, found, in_loop=True)
        if not isinstance(stmt, tree.Assign | tree.Return) or stmt.origin.op == "call" or not stmt.origin.value:
            continue
        target, adds = (stmt.targets[0], stmt.sign == "+=") if isinstance(stmt, tree.Assign) else ("", False)
        mark = lines.get((function, target, stmt.origin.op)) or lines.get((function, "", stmt.origin.op))
        is_whole = not (isinstance(after, tree.Do) and after.completes and after.completes == target)
        target, line, at = (mark.target, mark.line, mark.at) if mark else (target, 0, ())
        site = Site(path, function, target, line, in_loop, adds, statements=1 if is_whole else 2, at=at)
        found.setdefault(stmt.origin.value, site)
