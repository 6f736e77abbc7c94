"""A finished run that goes on by itself: which of its inputs takes what was there before, and what comes out."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dotnn.commands.seeing.run import Run
from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.model.model import FileSource
from dotnn.running.generation import CODE, Choice, Next, continued, numbered, probabilities_of
from dotnn.running.run_contents import faults_of_runs
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.text_file import read_utf8
from dotnn_runtime.script.text_units import joined_units, units_of

NO_NEXT = "it says nothing of what comes next"
HELP = 'a spec whose data are source = text("book.txt") and whose target is a class has such a network'


@dataclass(frozen=True)
class Generated:
    """What a run has written: the prompt, and what follows it."""

    prompt: str
    text: str
    length: int
    seed: int
    choice: Choice

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        drawn = {"seed": self.seed, "temperature": self.choice.temperature, "top_k": self.choice.top_k}
        return {"prompt": self.prompt, "text": self.text, "length": self.length, **drawn}


def generated(run: Run, prompt: str | None, length: int, choice: Choice, seed: int | None) -> Generated:
    """Return a prompt, the beginning of the run's own text where there is none, and `length` units behind it.

    Raises `CompileError` for a run that says nothing of what comes next, and for a prompt that it cannot read.
    """
    source = _text_source(run)
    by, known = str(source.options.get("by", "char")), _vocabulary(run)
    seen = {name: item.type.example[0] for name, item in run.model.inputs.items()}
    most = max(seen.values())
    begun = numbered(_beginning(run, by, most) if prompt is None else prompt, by, known, most)
    seed = run.model.train.seed if seed is None else seed
    rng = np.random.default_rng(seed)
    found = [known[i] for i in continued(begun, length, _following(run, seen, len(known), rng), choice, rng)]
    behind = joined_units(found[: len(begun)], by)
    return Generated(behind, joined_units(found, by), length, seed, choice)


def _text_source(run: Run) -> FileSource:
    source = run.model.data.source if run.model.data else None
    if source is None or not source.entry.numbered:
        raise refused(run, NO_NEXT)
    return source


def _vocabulary(run: Run) -> list[str]:
    """Return the units that the run knows, in the order of their numbers."""
    return next(iter(run.kept.labels.values()))


def _beginning(run: Run, by: str, count: int) -> str:
    """Return the first units of the text that a run was trained on. Raises `CompileError` where it is not there."""
    source = _text_source(run)
    path = Path(run.source or "")
    path = path / source.path if path.is_dir() else path
    with faults_of_runs(str(path)):
        text = read_utf8(path, 512 * 2**20).replace("\r\n", "\n").replace("\r", "\n")
        places = [match.end() for match in units_of(text, by)][:count]
        if len(places) < count:
            raise DataError("the text is shorter than what the network sees", path, help="give a prompt")
    return text[: places[-1]]


def _following(run: Run, seen: dict[str, int], count: int, rng: np.random.Generator) -> Next:
    """Return the function from the units so far to the probabilities of the next one."""
    output, params, module = output_towards(run), dict(run.kept.params), run.module
    drawn = {"rng": rng} if "rng" in inspect.signature(module.predict).parameters else {}

    def following(units: Any) -> np.ndarray:
        inputs = {name: np.array([units[len(units) - length :]]) for name, length in seen.items()}
        with np.errstate(all="ignore"):
            outputs = module.predict(params, inputs, run.kept.scaling or None, **drawn)
        return probabilities_of(outputs, output, count)

    return following


def output_towards(run: Run, target: str = "") -> str:
    """Return the output that is trained towards a target of classes, by default any. Raises `CompileError`."""
    terms = (t for t in run.model.train.losses if t.target_kind.startswith("class") and target in ("", t.target))
    paths = {term.output for term in terms}
    output = next((name for name, path in run.model.outputs.items() if path in paths), None)
    if output is None:
        raise refused(run, "no output of it holds the probabilities of what comes next")
    return output


def refused(run: Run, reason: str, help: str = HELP) -> CompileError:
    """Return the error for a run that cannot generate."""
    return CompileError([Diagnostic(CODE, f"{run.name} cannot generate: {reason}", help=help)])
