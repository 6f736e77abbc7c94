"""The state of a training on disk: arrays and plain values
in one .npz file, written as a whole or not at all.
"""

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


def save_state(path: str | pathlib.Path, state: dict[str, object]) -> None:
    """Write a dict of arrays, of dicts, and of what JSON knows; numbers come back as they were, bit by bit.

    Whatever NumPy takes for an array, a variable of Keras too, comes back as one. What is no array stands
    as JSON under the key `rest`, and under `seal` a digest of all, so that nothing can be missing.
    """
    arrays, rest = split_state(state)
    arrays["rest"] = np.frombuffer(json.dumps(rest).encode(), np.uint8)
    save_weights(path, {**arrays, "seal": np.array(digest_of(arrays))})


def split_state(
    state: dict[str, object], before: str = ""
) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Return the arrays of a nested dict by their path, `{"params/h1.W": …}`, and the dict without them."""
    arrays: dict[str, np.ndarray] = {}
    rest: dict[str, object] = {}
    for name, value in state.items():
        if hasattr(value, "__array__") and not isinstance(value, float):  # NumPy's float64 is a float
            arrays[before + name] = np.asarray(value)
        elif isinstance(value, dict):
            inner, rest[name] = split_state(value, f"{before}{name}/")
            arrays |= inner
        else:
            rest[name] = value
    return arrays, rest


def load_state(path: str | pathlib.Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, typing.Any]:
    """Return what `save_state` wrote.

    DataError where it is damaged, or its parameters do not have these shapes.
    """
    with open_input(path) as file:
        size = file.seek(0, io.SEEK_END)
    # they are not compressed: more bytes than the file has are a lie
    arrays = load_arrays(path, max_bytes=size)
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
        raise DataError(
            "this is no checkpoint, or it is damaged", path, help="start the training anew"
        ) from None
    if any(found.get(name) != tuple(shape) for name, shape in shapes.items()):
        raise DataError("the checkpoint is not one of this network", path, help="start the training anew")
    return typing.cast(dict[str, typing.Any], state)


def save_checkpoint(
    folder: pathlib.Path,
    state: dict[str, typing.Any],
    made_of: int,
    *,
    epochs: int,
    every: int = 1,
    best_by: str = "",
    model: str = "",
) -> None:
    """Write the state to `checkpoint.npz` where it is due:
    after every `every` epochs, and where the training ends.

    `made_of` is a digest of what the training is made of, by which `resumed_state` knows it again;
    `model` is as in `save_weights`. With `best_by`, a quantity of the records that is to be small,
    `best.npz` holds the parameters with the smallest one so far, among the epochs that were saved.
    """
    *earlier, last = state["history"]
    ended = last["epoch"] == epochs or state.get("stopped_by", "epochs") != "epochs"
    if last["epoch"] % every and not ended:
        return
    folder.mkdir(parents=True, exist_ok=True)
    if best_by:
        saved = [record[best_by] for record in earlier if record["epoch"] % every == 0]
        if all(last[best_by] < value for value in saved):
            save_weights(folder / "best.npz", state["params"] | state.get("average", {}), model)
    save_state(folder / "checkpoint.npz", {**state, "data": made_of})


def resumed_state(
    folder: pathlib.Path,
    shapes: dict[str, tuple[int, ...]],
    made_of: int,
    *,
    resume: bool,
    overwrite: bool = False,
) -> dict[str, typing.Any] | None:
    """Return the state in the folder to go on from, None where there is none yet, or it is to be overwritten.

    Raises DataError where one stands there and nobody said what to do with it, and
    where it is that of a training that is made of something else than `made_of` says.
    """
    path = folder / "checkpoint.npz"
    if resume and overwrite:
        raise DataError("--resume goes on with a training, --overwrite replaces it", help="give one of them")
    there = next((p for p in (path, folder / "best.npz") if p.exists()), None)
    if overwrite or there is None:
        return None
    if not resume:
        raise DataError(
            "a checkpoint stands there", there, help="go on from it with --resume, or use --overwrite"
        )
    if not path.exists():  # the best weights are written first: a kill in between leaves them alone
        return None
    state = load_state(path, shapes)
    if state.get("data") != made_of:
        message = (
            "the checkpoint is that of another training: the spec, the data, the seed or the precision differ"
        )
        raise DataError(message, help="restore them, or start the training anew")
    return state
