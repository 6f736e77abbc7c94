"""`dotnn predict`: the script of a finished run, with its weights, on other inputs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from dotnn.core.diagnostics import CompileError
from dotnn.library.sources import SOURCES
from dotnn.running.combining import members_of, together_of
from dotnn.running.converted import read_one_image
from dotnn.running.data_errors import NO_TABLE, all_faults, own_error
from dotnn.running.output import check_output
from dotnn.running.run_contents import (
    Needs,
    check_finished,
    faults_of_runs,
    kept_in,
    script_of,
    warn_of_divergence,
)
from dotnn.running.spec_files import array_reader, single_reader, table_reader
from dotnn_runtime.predict_io import read_inputs
from dotnn_runtime.run_folder import RunFolder, RunFolderError
from dotnn_runtime.script.arrays import check_arrays, in_precision
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.files import is_table
from dotnn_runtime.script.labels import add_likeliest
from dotnn_runtime.script.predictions import write_predictions
from dotnn_runtime.script.rows import pieces

Arrays = dict[str, np.ndarray]
AT_ONCE = 2**20
"""About so many numbers are predicted from at once: 8 MiB in double precision."""


def predict_run(
    run: str, input_file: str, output: str | None, force: bool, needs: Needs, seed: int | None = None, passes: int = 0
) -> None:
    """Predict with a finished run; class outputs stay probabilities, and `<output>_class` names the likeliest label.

    `seed` is that of what the network draws in prediction. With `passes` it draws so often: outputs are the mean, and
    beside each is the spread, the standard deviation. Raises `CompileError`, too where it draws nothing.
    """
    if output is not None and output != "-":
        check_output(Path(output), force=force)
    with faults_of_runs(input_file):
        whole = RunFolder.open(run)
        members = members_of(whole) or [whole]
        folder = members[0]
        module, edited = script_of(folder, needs)
        params, scaling, labels = kept_in(folder, module)
        for member in members:
            warn_of_divergence(member)
        inputs = read_for(module, input_file, labels)
        _check_finite(params, {n: a for n, a in inputs.items() if _raw_inputs(module)[n] == module.INPUTS[n]}, scaling)
        drawn = _drawn(module, folder, seed, passes)
        predicts = []
        for member in members:
            check_finished(member)
            params, scaling, _ = kept_in(member, module)
            predicts.append(partial(_predicted, module, params, scaling, drawn))
        said = []
        for _ in range(passes or 1):
            found = [_outputs(folder, edited, predict, inputs) for predict in predicts]
            said.append(together_of(whole).outputs(found) if len(members) > 1 else found[0])
        outputs = said[0] if not passes else _over(np.mean, said, "")
        spread = _over(np.std, said, "_spread") if passes else {}
        classes = getattr(module, "CLASSES", {})
        named = {name: labels[target] for name, target in classes.items() if target in labels}
        table = {**add_likeliest(outputs, classes, labels), **spread}
        write_predictions(table, output, overwrite=force, labels=named | {f"{n}_spread": t for n, t in named.items()})


def _over(figure: Callable[..., Any], said: Sequence[Arrays], ending: str) -> Arrays:
    """Return a figure of each output over all passes, computed in double precision."""
    return {
        f"{name}{ending}": figure([o[name].astype(float) for o in said], axis=0).astype(said[0][name].dtype)
        for name in said[0]
    }


def _predicted(module: Any, params: Arrays, scaling: Any, drawn: Mapping[str, Any], inputs: Arrays) -> Arrays:
    outputs: Arrays = module.predict(params, inputs, scaling or None, **drawn)
    return outputs


def read_for(module: Any, file: str, labels: dict[str, list[str]]) -> dict[str, np.ndarray]:
    """Return the inputs that a script says it reads. Raises `CompileError` with all that is wrong with their file."""
    try:
        return _inputs(module, file, labels)
    except DataError as error:
        numbered = any(SOURCES[form].numbered for form in getattr(module, "READERS", {}).values())
        form = NO_TABLE if numbered else getattr(module, "FORMAT", None)
        faults = all_faults(error, None, str(error.path or file), form)
        raise CompileError(faults) from None


def _inputs(module: Any, file: str, labels: dict[str, list[str]]) -> dict[str, np.ndarray]:
    """Read the inputs with the source that the name of the file tells, from standard input as CSV or .npz."""
    declared, form, windows = _raw_inputs(module), getattr(module, "FORMAT", None), getattr(module, "WINDOWS", None)
    readers = getattr(module, "READERS", {})
    numbered = next((SOURCES[form] for form in readers.values() if SOURCES[form].numbered), None)
    if numbered and is_table(file):
        columns = module.INPUT_COLUMNS
        read = table_reader(numbered)
        return read_inputs(file, declared, columns, table=read, form=form, windows=windows, labels=labels)
    if len(declared) == 1 and readers.keys() == declared.keys() and not file.lower().endswith(".npz"):
        return check_arrays({n: _read_alone(form, file, declared[n][1]) for n, form in readers.items()}, dict(declared))
    made = {name: [SOURCES[form].keys[0]] for name, form in readers.items() if SOURCES[form].converted}
    if made:
        return read_inputs(file, declared, made)
    named = next((source for source in SOURCES.values() if source.reads(file)), None)
    if named is None:
        columns = getattr(module, "INPUT_COLUMNS", None) if is_table(file) else None
        return read_inputs(file, declared, columns, form=form, windows=windows)
    if named.table:
        columns = getattr(module, "INPUT_COLUMNS", None)
        return read_inputs(file, declared, columns, table=table_reader(named), form=form, windows=windows)
    return read_inputs(file, declared, arrays=array_reader(named))


def _read_alone(format: str, file: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the only input from its file, or from a folder of images."""
    if SOURCES[format].converted:
        return read_one_image(format, Path(file), shape)
    return single_reader(SOURCES[format])(file)


def _raw_inputs(module: Any) -> Mapping[str, tuple[str, tuple[int, ...]]]:
    """Return the kinds and shapes of what a script predicts from, before it is prepared."""
    raw: Mapping[str, tuple[str, tuple[int, ...]]] = getattr(module, "RAW_INPUTS", module.INPUTS)
    return raw


def _check_finite(params: Arrays, inputs: Arrays, scaling: Mapping[str, object]) -> None:
    """Raise `DataError` where parameters, or inputs in their precision, are not finite: not every script looks.

    What is to be scaled may be of any size before it is.
    """
    dtype = next(iter(params.values())).dtype if params else np.dtype(float)
    in_precision({**params, **{name: values for name, values in inputs.items() if name not in scaling}}, dtype)


def _outputs(folder: RunFolder, edited: bool, predict: Callable[[Arrays], Arrays], inputs: Arrays) -> Arrays:
    """Return the outputs. Raises `DataError` where the script refuses weights or inputs.

    What an edited script raises is its own affair: that is a `RunFolderError`.
    """
    try:
        return _in_pieces(predict, inputs)
    except Exception as error:
        known = own_error(error)
        if isinstance(known, DataError) or not edited:
            raise known from None
        raise RunFolderError(f"model.py fails: {error}", folder.path, "it was edited: train again") from None


def _drawn(module: ModuleType, folder: RunFolder, seed: int | None, passes: int) -> dict[str, np.random.Generator]:
    """Return the generator of what the network draws; nothing where it draws nothing."""
    if "rng" in inspect.signature(module.predict).parameters:
        return {"rng": np.random.default_rng(module.SEED if seed is None else seed)}
    if seed is not None or passes:
        option = "--passes" if passes else "--seed"
        help = f"leave {option} out; dropout(0.5, always = true) and noise([8], normal) draw in prediction"
        raise RunFolderError("this network draws nothing in prediction", folder.path, help)
    return {}


def _in_pieces(predict: Callable[[Arrays], Arrays], inputs: Arrays) -> Arrays:
    """Return the outputs for all inputs, so many at a time that a large file needs no memory but its own.

    In prediction mode no example depends on the others of its batch. Few inputs are taken all at once.
    """
    count = len(next(iter(inputs.values())))
    cuts = [*pieces((count, sum(array.size for array in inputs.values()) // count), AT_ONCE)]
    if len(cuts) == 1:
        return predict(inputs)
    try:
        found = [predict({name: array[cut] for name, array in inputs.items()}) for cut in cuts]
    except Exception:
        return predict(inputs)  # what it says is wrong is at its place in the file then
    return {name: np.concatenate([outputs[name] for outputs in found]) for name in found[0]}
