"""A finished run that answers step by step, by its own answers before, where it was taught with the right ones."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import numpy as np

from dotnn.commands.seeing.generate import output_towards, refused
from dotnn.commands.seeing.run import Run
from dotnn.running.data_errors import own_error
from dotnn.running.feeding import Fed, answers, fed_input
from dotnn.running.generation import Choice
from dotnn.running.predictions import read_for
from dotnn.running.run_contents import faults_of_runs
from dotnn.running.spec_files import load_examples
from dotnn_runtime.script.errors import DataError

TABLES = ("INPUTS", "RAW_INPUTS", "INPUT_COLUMNS", "READERS")
HELP = "an input int[n] that holds, in each step, what a target class[n, k] held one step before is such a one"


def answered(run: Run, file: str, choice: Choice, seed: int | None) -> dict[str, np.ndarray]:
    """Return what a run answers to the inputs of a file, by the name of the target. Raises `CompileError`."""
    fed = _fed(run)
    seed = run.model.train.seed if seed is None else seed
    rng = np.random.default_rng(seed)
    with faults_of_runs(file):
        inputs = read_for(_without(run.module, fed.input), file, run.kept.labels)
        found = answers(_predict(run, rng), inputs, fed, output_towards(run, fed.target), _steps(run, fed), choice, rng)
    texts = run.kept.labels.get(fed.target)
    return {fed.target: np.array(texts)[found] if texts and found.max() < len(texts) else found}


def _fed(run: Run) -> Fed:
    """Return the input that is fed back: `run.json` knows it, else the data that it was trained on."""
    known = run.folder.manifest.get("fed")
    if isinstance(known, dict) and known.keys() == {"input", "target", "start"}:
        return Fed(**known)
    found = fed_input(run.model, load_examples(run.model, run.source)[0])
    if found is None:
        raise refused(run, "none of its inputs was taught the step before", HELP)
    return found


def _steps(run: Run, fed: Fed) -> int:
    return run.model.inputs[fed.input].type.example[0]


def _without(module: Any, name: str) -> Any:
    """Return what a script says of its inputs, without one of them."""
    tables = {table: getattr(module, table) for table in TABLES if hasattr(module, table)}
    others = {table: {n: value for n, value in of.items() if n != name} for table, of in tables.items()}
    rest = {name: getattr(module, name) for name in ("FORMAT", "WINDOWS") if hasattr(module, name)}
    return SimpleNamespace(**others, **rest)


def _predict(run: Run, rng: np.random.Generator) -> Any:
    params, module = dict(run.kept.params), run.module
    drawn = {"rng": rng} if "rng" in inspect.signature(module.predict).parameters else {}

    def predict(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        try:
            with np.errstate(all="ignore"):
                outputs: dict[str, np.ndarray] = module.predict(params, inputs, run.kept.scaling or None, **drawn)
        except Exception as error:
            known = own_error(error)
            if isinstance(known, DataError):
                raise known from None
            raise
        return outputs

    return predict
