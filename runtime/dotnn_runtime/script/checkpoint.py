"""The state of a training on disk: arrays and plain values in one .npz file, written as a whole or not at all."""

import io
import json
import pathlib
import typing

import numpy as np

from dotnn_runtime.script.digest import digest_of
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.files import open_input
from dotnn_runtime.script.npz_file import load_arrays
from dotnn_runtime.script.storage import save_weights


def save_state(path: str | pathlib.Path, state: dict[str, typing.Any]) -> None:
    """Write a dict of arrays, of dicts, and of what JSON knows; numbers come back as they were, bit by bit.

    What is no array stands as JSON under the key `rest`, and under `seal` a digest of all, so that nothing can be
    missing.
    """
    arrays, rest = split_state(state)
    arrays["rest"] = np.frombuffer(json.dumps(rest).encode(), np.uint8)
    save_weights(path, {**arrays, "seal": np.array(digest_of(arrays))})


def split_state(state: dict[str, typing.Any], before: str = "") -> tuple[dict[str, np.ndarray], dict[str, typing.Any]]:
    """Return the arrays of a nested dict by their path, `{"params/h1.W": …}`, and the dict without them."""
    arrays: dict[str, np.ndarray] = {}
    rest: dict[str, typing.Any] = {}
    for name, value in state.items():
        if isinstance(value, np.ndarray):
            arrays[before + name] = value
        elif isinstance(value, dict):
            inner, rest[name] = split_state(value, f"{before}{name}/")
            arrays |= inner
        else:
            rest[name] = value
    return arrays, rest


def load_state(path: str | pathlib.Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, typing.Any]:
    """Return what `save_state` wrote; DataError where it is damaged, or its parameters do not have these shapes."""
    with open_input(path) as file:
        size = file.seek(0, io.SEEK_END)
    arrays = load_arrays(path, max_bytes=size)  # they are not compressed: more bytes than the file has are a lie
    try:
        if arrays.pop("seal") != digest_of(arrays):
            raise ValueError("something is missing")
        state = json.loads(arrays.pop("rest").tobytes())
        for place, array in arrays.items():
            *outer, name = place.split("/")
            table = state
            for key in outer:
                table = table[key]
            table[name] = array
        found = {name: w.shape for name, w in state["params"].items()}
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        raise DataError("this is no checkpoint, or it is damaged", path, help="start the training anew") from None
    if any(found.get(name) != tuple(shape) for name, shape in shapes.items()):
        raise DataError("the checkpoint is not one of this network", path, help="start the training anew")
    return typing.cast(dict[str, typing.Any], state)


def check_digest(state: dict[str, typing.Any], digest: int) -> None:
    """Raise DataError where a state to go on from is that of a training on other examples."""
    if state.get("data") != digest:
        message = "the checkpoint is that of another training: the spec, the data, the seed or the precision differ"
        raise DataError(message, help="restore them, or start the training anew")


def save_checkpoint(
    folder: pathlib.Path, state: dict[str, typing.Any], *, every: int = 1, best_by: str = "", model: str = ""
) -> None:
    """Write the state after every `every` epochs to `checkpoint.npz`; `model` is as in `save_weights`.

    With `best_by`, a quantity of the records that is to be small, `best.npz` holds the parameters with the smallest
    one so far, among the epochs that were saved.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if best_by:
        *earlier, last = state["history"]
        saved = [record[best_by] for record in earlier if record["epoch"] % every == 0]
        if all(last[best_by] < value for value in saved):
            save_weights(folder / "best.npz", state["params"], model)
    save_state(folder / "checkpoint.npz", state)


def resumed_state(
    folder: pathlib.Path, shapes: dict[str, tuple[int, ...]], *, resume: bool, overwrite: bool = False
) -> dict[str, typing.Any] | None:
    """Return the state in the folder to go on from, None where there is none yet, or it is to be overwritten.

    Raises DataError where one stands there and nobody said what to do with it.
    """
    path = folder / "checkpoint.npz"
    if resume and overwrite:
        raise DataError("--resume goes on with a training, --overwrite replaces it", help="give one of them")
    there = next((p for p in (path, folder / "best.npz") if p.exists()), None)
    if overwrite or there is None:
        return None
    if not resume:
        raise DataError("a checkpoint stands there", there, help="go on from it with --resume, or use --overwrite")
    # The best weights are written first: a kill before the first checkpoint leaves them alone.
    return load_state(path, shapes) if path.exists() else None
