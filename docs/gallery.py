"""Write the gallery of the specs, with the commands that it shows: `python docs/gallery.py`, or `make manual`.

What a spec is and what comes out of it stand in the comment at its head; the pictures are those of `dotnn graph`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SPECS = ROOT / "specs"
DOTNN = (sys.executable, "-m", "dotnn")

HEAD = """# The specs
Models that are checked and trained by the tests, each with the result that stands beside it. This page is written by
`make manual`; its pictures are drawn by the commands that are shown.

```text
dotnn graph specs/iris.nn                            the network
dotnn train specs/iris.nn --run runs/iris            a run (with --snapshots 12 for its evolution)
dotnn graph --run runs/iris --show hidden            what it has learned
```

## What networks have learned
"""
BETWEEN = """
[docs/runs.md](../docs/runs.md) has all pictures of a run.

## All networks
"""


WATCHED = ("--snapshots", "12")


@dataclass(frozen=True)
class Shown:
    """A picture of a trained network."""

    spec: str
    picture: str
    words: str

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.spec}_{self.picture}.svg"


RUNS = (
    Shown("xor", "boundary", "The hidden layer of [xor.nn](xor.nn) bends the line that no perceptron can bend."),
    Shown("iris", "hidden", "Where the hidden layer of [iris.nn](iris.nn) puts the flowers: three groups."),
    Shown("iris", "curves", "Its training; the weights are those of the epoch at the dot."),
    Shown("iris", "evolution", "How its weights, activations and derivatives spread meanwhile."),
    Shown("digits", "preferred", "The image that each of the ten outputs of [digits.nn](digits.nn) would like best."),
    Shown("vanishing", "distributions", "[vanishing.nn](vanishing.nn): the derivatives fade towards the input."),
)


def specs() -> list[Path]:
    """Return the specs, sorted."""
    return sorted(SPECS.glob("*.nn"))


def about(spec: Path) -> tuple[str, str]:
    """Return what the comment at the head of a spec says of it, and of its result."""
    lines = spec.read_text(encoding="utf-8").splitlines()
    comment = []
    for line in lines:
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    said, _, result = " ".join(comment).partition("Result:")
    return said.strip(), result.strip()


def readme() -> str:
    """Return the text of the page."""
    return "".join([HEAD, *_runs(), BETWEEN, *_networks()])


def _runs() -> Iterator[str]:
    for shown in RUNS:
        command = f"dotnn graph --run runs/{shown.spec} --show {shown.picture}"
        yield f"\n{shown.words}  \n`{command}`\n\n![{shown.spec}: {shown.picture}](pictures/{shown.file})\n"


def _networks() -> Iterator[str]:
    for spec in specs():
        said, result = about(spec)
        yield f"\n### [{spec.stem}]({spec.name})\n{said}\n\n"
        yield f"Result: {result}\n\n![The network of {spec.name}](pictures/{spec.stem}.svg)\n"


def draw_network(spec: Path, folder: Path) -> None:
    """Draw the network of a spec into a folder."""
    _dotnn("graph", str(spec), "-o", str(folder / f"{spec.stem}.svg"), "--force")


def draw_runs(folder: Path, scratch: Path) -> None:
    """Train what is shown, in a folder of its own, and draw it."""
    for shown in RUNS:
        run = scratch / shown.spec
        if not run.exists():
            _dotnn("train", str(SPECS / f"{shown.spec}.nn"), "--run", str(run), *WATCHED)
        target = folder / shown.file
        _dotnn("graph", "--run", str(run), "--show", shown.picture, "-o", str(target), "--force")


def _dotnn(*arguments: str) -> None:
    subprocess.run([*DOTNN, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    """Write the page and its pictures."""
    pictures = SPECS / "pictures"
    pictures.mkdir(exist_ok=True)
    for old in pictures.glob("*.svg"):
        old.unlink()
    for spec in specs():
        draw_network(spec, pictures)
    with tempfile.TemporaryDirectory() as scratch:
        draw_runs(pictures, Path(scratch))
    (SPECS / "README.md").write_text(readme(), encoding="utf-8")


if __name__ == "__main__":
    main()
