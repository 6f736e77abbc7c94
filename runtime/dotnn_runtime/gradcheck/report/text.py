"""The report as a person reads it: a table, the checks, and the blame in plain words."""

from __future__ import annotations

import io
import math
import sys
import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .results import WARNING, Blame, CheckResult, Element, Report, TensorResult, Verdict, worst_first

_COLOURS = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.ZERO_STRUCTURAL: "cyan",
    Verdict.ZERO_OBSERVED: "cyan",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.SKIPPED: "dim",
}
PLAIN_WIDTH = 120
SHOWN = 3
"""So many of the calls are named in which a line was wrong."""


def print_report(report: Report, console: Console | None = None) -> None:
    """Print a report: coloured on a terminal, plain in a pipe."""
    console = console or _console()
    console.print(_tensor_table(report))
    for check in sorted(report.checks, key=lambda c: (len(c.id), c.id)):
        console.print(_check_line(check))
    for note in report.notes:
        console.print(f"note: {escape(note)}")
    _print_crossings(report, console)
    _print_worst(report, console)
    for number, blame in enumerate(report.blames):
        _print_blame(blame, console, "The" if number == 0 else "Another")
    console.print(_summary(report))


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the caller what to do when the reader has gone: Rich would end the program with 1."""
        raise BrokenPipeError


def _console() -> Console:
    """Return a console for stdout; a pipe gets whole lines."""
    return _Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def render_text(report: Report, width: int = PLAIN_WIDTH) -> str:
    """Return the report as plain text."""
    buffer = io.StringIO()
    print_report(report, Console(file=buffer, width=width, color_system=None, highlight=False))
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def _coloured(verdict: Verdict, reason: str = "") -> str:
    text = f"{verdict} ({reason})" if reason else str(verdict)
    return f"[{_COLOURS[verdict]}]{escape(text)}[/]"


def _tensor_table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("gradient", overflow="fold")
    table.add_column("spec line", overflow="fold")
    table.add_column("shape")
    for title in ("norm", "rel. error", "probes"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for row in report.tensors:
        label = f"[dim]{escape(row.name)}[/]" if row.kind == "cotangent" else escape(row.name)
        shape = "×".join(map(str, row.shape)) or "scalar"
        figures = f"{row.norm:.2e}", _error(row), str(row.probes)
        table.add_row(label, escape(row.spec_line), shape, *figures, _coloured(row.verdict, row.reason))
    return table


def _error(row: TensorResult) -> str:
    if row.rel_err is None:
        return "–"
    loud = row.verdict is Verdict.PASS and row.rel_err > WARNING
    return f"[yellow]{row.rel_err:.1e}[/]" if loud else f"{row.rel_err:.1e}"


def _check_line(check: CheckResult) -> str:
    value = (
        f"  {check.value:.1e}" if check.value is not None and not check.detail.startswith(f"{check.value:.2f}") else ""
    )
    detail = f"  {escape(check.detail)}" if check.detail else ""
    return f"{check.id:<5}{escape(check.title)}: {_coloured(check.verdict)}{value}{detail}"


def _print_crossings(report: Report, console: Console) -> None:
    for kink in report.kinks:
        many = f"{kink.count} branch{'es' * (kink.count != 1)}"
        text = f"note: {many} about to switch, held fixed, line {kink.line}: {kink.text}"
        console.print(escape(text), style="dim", soft_wrap=True)  # a line of code is not broken
    for tie in report.ties:
        text = f"tie: {tie.count} exact (relu'(0) = 0, the first maximum wins), line {tie.line}: {tie.text}"
        console.print(escape(text))


def _print_worst(report: Report, console: Console) -> None:
    """Print the worst elements of the worst gradients, where no blame has elements of its own."""
    wrong = [t for t in report.tensors if t.worst] if report.blame is None or not report.blame.worst else []
    for result in worst_first(wrong)[:3]:
        console.print(f"worst elements of the gradient of {escape(result.name)}:")
        for element in result.worst:
            index = ", ".join(map(str, element.index))
            console.print(f"  [{index}]  script {element.got: .9g}   right {element.expected: .9g}", markup=False)


def _print_blame(blame: Blame, console: Console, which: str) -> None:
    console.print()
    console.print(f"[bold red]{which} faulty rule: {escape(blame.name)}[/]")
    if blame.line and blame.worst:
        console.print(
            "  The lines of the backward pass before it are right; what else fails follows from it.", soft_wrap=True
        )
    for label, text in _facts(blame):
        for line in textwrap.wrap(text, max(40, console.width - 13)):
            console.print(f"  {label:<9} {line}", markup=False, soft_wrap=True)
            label = ""


def _facts(blame: Blame) -> Iterator[tuple[str, str]]:
    """Yield what is known of a faulty rule, each with its label; "" for what is not."""
    statement = f"{blame.layer} = {blame.op}" if blame.layer and blame.op else blame.op or blame.layer
    yield "spec", f"{blame.spec_line}: {blame.spec_text or statement}" if blame.spec_line else ""
    yield "script", f"line {blame.line}: {blame.text}" if blame.line else ""
    yield "called", _some(blame.paths)
    yield "compiled", blame.compiled
    yield "error", f"{blame.words} ({blame.pattern})"
    for element in blame.worst:
        yield "found", _in_words(element)


def _some(paths: Sequence[str]) -> str:
    """Return the first calls and turns of many."""
    return ", ".join(paths[:SHOWN]) + (f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else "")


def _in_words(element: Element) -> str:
    index = f"[{', '.join(map(str, element.index))}]" if element.index else "the number"
    return f"{index} is {element.got + 0.0:.9g}, right is {element.expected + 0.0:.9g}"


def _summary(report: Report) -> str:
    errors = [t.rel_err for t in report.tensors if t.rel_err is not None and math.isfinite(t.rel_err)]
    worst = f", largest relative error {max(errors):.1e}" if errors else ""
    forwards = f"{report.cost_forwards} forward passes, seed {report.seed}, batch {report.batch_size}"
    reason = report.reason if report.verdict is Verdict.INCONCLUSIVE else ""
    return f"{_coloured(report.verdict, reason)}  {len(report.tensors)} tensors{worst}  ({forwards})"
