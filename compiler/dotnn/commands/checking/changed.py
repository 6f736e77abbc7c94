"""A changed script beside its spec: what is to blame is taken back, and the rest is checked again.

So every change that matters is blamed, also where the first one hides the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from dotnn.commands.checking.changes import compared, hunks
from dotnn.session import Compiled
from dotnn_runtime.gradcheck import Blame, Report, Verdict

SECONDS = 20.0
"""After so long no further change is looked for."""


@dataclass(frozen=True)
class _Text:
    """A script with some changes taken back: its lines, and the number that each has in the script as it is."""

    lines: tuple[str, ...]
    numbers: tuple[int, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def without(self, blames: list[Blame], fresh: str) -> _Text:
        """Return the same with what was compiled in place of the changes that are to blame."""
        blamed, compiled = {blame.line - 1 for blame in blames}, fresh.splitlines()
        lines, numbers = [*self.lines], [*self.numbers]
        for a, b, c, d in reversed(hunks(self.text, fresh)):
            if blamed.intersection(range(a, max(b, a + 1))):
                lines[a:b] = compiled[c:d]
                numbers[a:b] = [self.numbers[min(a, len(self.numbers) - 1)]] * (d - c)
        return _Text(tuple(lines), tuple(numbers))


def each_change(script: str, fresh: Compiled, check: Callable[[str], Report]) -> Report:
    """Check a script beside what its spec compiles to, and again without the changes that are to blame so far."""
    end = time.monotonic() + SECONDS
    report = found = compared(check(script), script, fresh.script, fresh.model)
    left = _Text(tuple(script.splitlines()), tuple(range(1, len(script.splitlines()) + 1)))
    while found.verdict is Verdict.FAIL and time.monotonic() < end:
        rest = left.without(found.blames, fresh.script)
        if rest == left or not hunks(rest.text, fresh.script):
            break
        left = rest
        found = compared(check(left.text), left.text, fresh.script, fresh.model)
        if found.verdict is Verdict.FAIL:
            more = [replace(b, line=left.numbers[b.line - 1]) for b in found.blames if b.line]
            report.more += [b for b in more if b.line not in {blame.line for blame in report.blames}]
    return report
