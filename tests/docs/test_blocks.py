"""Every code block of README, CONTRIBUTING and docs/ is run. CONTRIBUTING says how blocks are marked."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Block:
    line: int
    language: str
    text: str
    flags: dict[str, str] = field(default_factory=dict)

    @property
    def is_output(self) -> bool:
        return self.language == "output" or "output" in self.flags


def blocks(page: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(page):
        language, *flags = match["info"].split() or [""]
        pairs = dict((*flag.split("=", 1), "")[:2] for flag in flags)
        found.append(Block(page.count("\n", 0, match.start()) + 1, language, match["text"], pairs))
    return found


def run(command: list[str], folder: Path) -> tuple[int, str]:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "110",
        "NO_COLOR": "1",
        "PYTHONUTF8": "1",
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
    )
    return done.returncode, done.stdout


def perform(block: Block, folder: Path) -> tuple[int, int, str]:
    """Return the exit status that the block promises, the real one, and what it printed."""
    if block.language == "nn":
        name = next((flag for flag in block.flags if flag.endswith(".nn")), f"line{block.line}.nn")
        (folder / name).write_text(block.text, encoding="utf-8")
        return (int("wrong" in block.flags), *run(["dotnn", "compile", name, "-o", os.devnull, "--force"], folder))
    if block.language == "sh":
        return (int(block.flags.get("exit", 0)), *run(["bash", "-euo", "pipefail", "-c", block.text], folder))
    assert block.language == "python", f"line {block.line}: unknown mark {block.language!r}; see CONTRIBUTING"
    return (0, *run([sys.executable, "-c", block.text], folder))


def fits(shown: str, real: str) -> bool:
    """Whether real output is what the page shows: `…` stands for any text, on a line of its own for any lines."""
    patterns = [r"(?:.*\n)*?" if line == "…" else f"{line_pattern(line.rstrip())} *\n" for line in shown.split("\n")]
    return re.fullmatch("".join(patterns), f"{real.rstrip()}\n\n") is not None


def line_pattern(line: str) -> str:
    """Numbers below 1e-12 are rounding, which differs between machines: any such number may stand there."""
    pieces = re.split(r"(…|\d\.\de-1[2-9])", line)
    wild = {"…": ".*"}
    return "".join(
        wild.get(p, r"\d\.\de(?:-1[2-9]|-2\d|\+00)") if i % 2 else re.escape(p) for i, p in enumerate(pieces)
    )


@pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])
def test_the_blocks_of_a_page(page: Path, tmp_path: Path):
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    printed = None
    for block in blocks(page.read_text(encoding="utf-8")):
        where = f"{page.name}:{block.line}"
        if block.language == "text":
            continue
        if block.is_output:
            assert printed is not None, f"{where}: output of nothing"
            assert fits(block.text, printed), f"{where}: the page shows\n{block.text}\nbut this is printed:\n{printed}"
            continue
        promised, status, printed = perform(block, tmp_path)
        assert status == promised, f"{where}: exit {status}, not {promised}\n{printed}"


@pytest.mark.parametrize(
    ("shown", "real", "expected"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\n", "a\nb\n", False),
        ("a\n…\nc\n", "a\nb\nb\nc\n", True),
        ("a\n…\n", "a\n", True),
        ("loss 0.1…\n", "loss 0.123\n", True),
        ("loss 0.1…\n", "loss 0.223\n", False),
        ("error 1.2e-16 ok\n", "error 3.4e-15 ok\n", True),
        ("error 1.2e-16 ok\n", "error 3.4e-05 ok\n", False),
    ],
)
def test_fits(shown: str, real: str, expected: bool):
    assert fits(shown, real) is expected


def test_every_link_inside_the_repository_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
