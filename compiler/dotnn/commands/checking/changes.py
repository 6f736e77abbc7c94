"""Where a script differs from what its spec compiles to, and what follows for the blame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path

from dotnn.model.model import Model
from dotnn_runtime.gradcheck import Blame, CheckResult, Report, Verdict
from dotnn_runtime.gradcheck.reading.structure import Structure, all_functions, around, parse_script, reached

COMPARED = (
    "init_params",
    "forward",
    "total_loss",
    "backward",
    "loss_and_grads",
    "training_pass",
    "renew_state",
    "optimizer_state",
    "update",
    "constrain",
    "learning_rate",
    "training_arrays",
    "make_step",
    "make_update",
    "make_clip",
    "load_data",
    "prepare",
    "predict",
    "make_forward",
    "make_evaluate",
    "evaluate",
)
"""Functions of a script whose results are compared with those of a freshly compiled one."""
SHOWN = 5
"""How many of the changed lines of a script are named."""


def compared(report: Report, script: str, fresh: str, model: Model) -> Report:
    """Add to a report in which lines a script differs from a freshly compiled one, and what that one has instead."""
    changed = _changed_lines(script, fresh)
    if changed:
        report.notes.append(_note(list(changed), Path(model.source.path).name))
    if report.verdict is Verdict.FAIL:
        report.blame = _on_a_changed_line(report.blame, script, changed)
    elif unseen := _unseen(script, changed):
        detail = f"{unseen} is not as compiled, and nothing that was tried shows whether that matters"
        report.checks.append(CheckResult("V11", "lines of the loop and the commands", Verdict.INCONCLUSIVE, detail))
    if report.blame is not None:
        text = _line_of_spec(report.blame.spec_line, model)
        report.blame = replace(report.blame, spec_text=text, compiled=changed.get(report.blame.line, ""))
    return report


def _note(lines: list[int], spec: str) -> str:
    listed = ", ".join(map(str, lines[:SHOWN])) + (", …" if len(lines) > SHOWN else "")
    where = f"lines {listed}" if len(lines) > 1 else f"line {listed}"
    return f"The script differs from what {spec} compiles to in {where}."


def _line_of_spec(place: str, model: Model) -> str:
    """Return the text of a line of the spec, given as `path:number`; "" where there is none."""
    file, _, number = place.rpartition(":")
    source = next((s for s in (model.source, *model.source.used) if s.file == file), model.source)
    lines = source.text.splitlines()
    return lines[int(number) - 1].strip() if file and int(number) <= len(lines) else ""


def _unseen(script: str, changed: dict[int, str]) -> str:
    """Return the first changed line of what no comparison runs through all cases: stopping, keeping, the commands."""
    compared = {"", *reached(COMPARED, all_functions(script))}
    places = ((line, around(script, line)) for line in changed)
    return next((f"line {line}, in {place}," for line, place in places if place not in compared), "")


def _on_a_changed_line(blame: Blame | None, script: str, changed: dict[int, str]) -> Blame | None:
    """Return the blame on the first changed line of the functions that it names, or of those that these call.

    Where no line is blamed, those of a step's loss and gradients are looked at.
    """
    if blame is not None and blame.line in changed:
        return blame
    named = blame.functions if blame else ("loss_and_grads",)
    line, function = _first_changed(script, changed, named or ("forward", "total_loss"))
    if not line:
        return blame
    text = script.splitlines()[line - 1].partition("  # ")[0].strip()
    # A line of the backward pass that is as compiled can only be wrong for a forward pass that is not.
    place = Structure(script, parse_script(script)).place(line)
    if blame is not None and blame.functions:
        return replace(blame, line=line, text=text, spec_line=place.spec_line or blame.spec_line)
    words = "The spec's network gives another result."
    return Blame(function, "", place.op, place.spec_line, line, text, "another result", words)


def _first_changed(script: str, changed: Iterable[int], start: Iterable[str]) -> tuple[int, str]:
    """Return the first changed line of these functions, or of those that they call, with its function; 0 for none."""
    places = {line: around(script, line) for line in changed}
    found = (
        (line, name)
        for name in reached(start, all_functions(script))
        for line, place in places.items()
        if place == name
    )
    return next(found, (0, ""))


def _changed_lines(script: str, fresh: str) -> dict[int, str]:
    """Return the lines of a script that are not as compiled, with what was; comments and the header are left out."""
    theirs = _code(fresh)
    found: dict[int, str] = {}
    for a, b, c, d in hunks(script, fresh):
        before = [line.strip() for line in theirs[c:d]]
        found |= {i + 1: before[i - a] if i - a < len(before) else "" for i in range(a, max(b, a + 1))}
    return found


def hunks(script: str, fresh: str) -> list[tuple[int, int, int, int]]:
    """Return which lines of a script, from a to b, stand in place of lines c to d of a freshly compiled one."""
    ours, theirs = _code(script), _code(fresh)
    start = next((i for i, line in enumerate(ours) if line.startswith(("from ", "import ", "def "))), 0)
    found = SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    return [(a, b, c, d) for tag, a, b, c, d in found if tag != "equal" and (b > start or a > start)]


def _code(script: str) -> list[str]:
    return [line.partition("  # ")[0].rstrip() for line in script.splitlines()]
