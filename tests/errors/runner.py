"""Runs one case: the command of its first line, in its folder, as a user would."""

import os
import re
import shlex
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from dotnn.cli import main

CASES = Path(__file__).parent / "cases"
"""A folder for each code, with pairs of a spec and what is said of it; a pair is where its first error belongs."""
SPECS = sorted(CASES.glob("NN*/*.nn"))
"""The specs of all pairs; what they use lies in `data`."""


@dataclass(frozen=True)
class Outcome:
    """What a command did; `seconds` of processor time, so that a busy machine fails no test."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float


def dotnn(*args: str, folder: Path) -> Outcome:
    """Run a command in a folder; an exception that is no exit is a bug and is raised."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        started = time.process_time()
        result = CliRunner().invoke(main, args)
        seconds = time.process_time() - started
    finally:
        os.chdir(before)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr, seconds)


def command(spec: Path) -> list[str]:
    """The command of a case: `# run: train --set hidden=99` in its first line, else `compile`."""
    first = spec.read_bytes().partition(b"\n")[0].decode("utf-8", "replace")
    words = shlex.split(first.removeprefix("# run:")) if first.startswith("# run:") else ["compile"]
    return [words[0], spec.name, *words[1:]]


def run_case(spec: Path, scratch: Path) -> Outcome:
    """Run the command of a case on a copy of the spec in `scratch`, beside a copy of the cases' data."""
    folder = scratch / spec.stem
    shutil.copytree(CASES / "data", folder / "data")
    shutil.copy(spec, folder)
    words = command(spec)
    leaves = {"compile": ["-o", "-"], "train": ["--run", str(scratch / "run")]}
    return dotnn(*words, *leaves.get(words[0], []), folder=folder)


def fits(expected: str, said: str) -> bool:
    """Whether this was said, where `[…]` stands for any words: for members that a list in a message may yet get."""
    return re.fullmatch(".*".join(map(re.escape, expected.split("[…]"))), said) is not None
