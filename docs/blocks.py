"""Run the code blocks of a page of documentation. CONTRIBUTING says how blocks are marked.

`python docs/blocks.py PAGE…` writes the output blocks anew; those that hold a `…` are left to a person.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Block:
    """One fenced block: the line it starts in, the word behind the fence, the flags behind that, and its text."""

    line: int
    language: str
    text: str
    flags: dict[str, str] = field(default_factory=dict)

    @property
    def is_output(self) -> bool:
        """Whether it shows what the block before it printed."""
        return self.language == "output" or "output" in self.flags


@dataclass
class Outcome:
    """What became of a block: `wrong` says what, `printed` is the latest output."""

    block: Block
    printed: str
    wrong: str = ""


def blocks(page: str) -> list[Block]:
    """Return all blocks of a page."""
    found = []
    for match in FENCE.finditer(page):
        language, *flags = match["info"].split() or [""]
        pairs = {name: value for name, _, value in (flag.partition("=") for flag in flags)}
        found.append(Block(page.count("\n", 0, match.start()) + 1, language, match["text"], pairs))
    return found


def run_page(page: str, folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Outcome]:
    """Run the blocks of a page, in order, in a folder that gets a copy of `specs/`."""
    environment = environment or terminal()
    shutil.copytree(ROOT / "specs", folder / "specs", ignore=shutil.ignore_patterns("__pycache__"))
    printed = ""
    for block in blocks(page):
        if block.is_output:
            wrong = (
                "" if fits(block.text, printed) else f"the page shows\n{block.text}\nbut this is printed:\n{printed}"
            )
            yield Outcome(block, printed, wrong)
        elif block.language != "text":
            promised, status, printed = perform(block, folder, environment)
            yield Outcome(block, printed, "" if status == promised else f"exit {status}, not {promised}\n{printed}")


def perform(block: Block, folder: Path, environment: Mapping[str, str]) -> tuple[int, int, str]:
    """Return the exit status that the block promises, the real one, and what it printed."""
    if block.language == "nn":
        name = next((flag for flag in block.flags if flag.endswith(".nn")), f"line{block.line}.nn")
        (folder / name).write_text(block.text, encoding="utf-8")
        return (int("wrong" in block.flags), *run(["dotnn", "compile", name, "-o", "-"], folder, environment))
    if block.language == "sh":
        return (
            int(block.flags.get("exit", 0)),
            *run(["bash", "-euo", "pipefail", "-c", block.text], folder, environment),
        )
    if block.language == "python":
        return (0, *run([sys.executable, "-c", block.text], folder, environment))
    return 0, 1, f"unknown mark {block.language!r}: see CONTRIBUTING"


def run(command: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a command as a terminal would show it; return its status and output."""
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout


def terminal() -> dict[str, str]:
    """Return the environment of a terminal of a fixed width, without colours."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "110",
        "NO_COLOR": "1",
        "PYTHONUTF8": "1",
    }


def fits(shown: str, real: str) -> bool:
    """Whether real output is what the page shows: `…` stands for any text, on a line of its own for any lines."""
    patterns = [r"(?:.*\n)*?" if line == "…" else f"{_pattern(line.rstrip())} *\n" for line in shown.split("\n")]
    return re.fullmatch("".join(patterns), f"{real.rstrip()}\n\n") is not None


def _pattern(line: str) -> str:
    """Numbers below 1e-12 are rounding, which differs between machines: any such number may stand there."""
    noise = r"(?:\d\.\de-(?:1[2-9]|[2-9]\d)|0\.0e\+00)"
    pieces = re.split(r"(…|\d\.\de-1[2-9]|0\.0e\+00)", line)
    return "".join(re.escape(p) if i % 2 == 0 else ".*" if p == "…" else noise for i, p in enumerate(pieces))


def renewed(page: str, outcomes: list[Outcome]) -> str:
    """Return the page with wrong output blocks replaced by what was printed, but for those with a `…`."""
    lines = page.split("\n")
    for outcome in reversed(outcomes):
        if outcome.wrong and outcome.block.is_output and "…" not in outcome.block.text:
            first = outcome.block.line
            old = outcome.block.text.count("\n")
            lines[first : first + old] = [line.rstrip() for line in outcome.printed.rstrip().split("\n")]
    return "\n".join(lines)


def main(names: list[str]) -> int:
    """Renew pages; print what a person has to look at."""
    from served import serving

    with serving(terminal()) as environment:
        left = [outcome for name in names for outcome in renew(Path(name), environment)]
    return 1 if left else 0


def renew(path: Path, environment: Mapping[str, str]) -> list[Outcome]:
    """Renew a page; print and return what a person has to look at."""
    page = path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        outcomes = list(run_page(page, Path(folder), environment))
    path.write_text(renewed(page, outcomes), encoding="utf-8")
    left = [o for o in outcomes if o.wrong and not (o.block.is_output and "…" not in o.block.text)]
    for outcome in left:
        print(f"{path}:{outcome.block.line}: {outcome.wrong}")
    return left


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
