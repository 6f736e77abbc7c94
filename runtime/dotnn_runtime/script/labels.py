"""The texts of classes: kept beside the weights, put into the predictions."""

import pathlib

import numpy as np

from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.storage import read_sealed_json


def read_labels(folder: str | pathlib.Path) -> dict[str, list[str]]:
    """Return what `labels.json` of a folder says: the texts
    of every class by its name, in the order of the indices.

    None where there is no such file. Raises DataError where it holds anything else.
    """
    path = pathlib.Path(folder) / "labels.json"
    labels = read_sealed_json(path) if path.is_file() else {}
    if not all(isinstance(texts, list) for texts in labels.values()):
        raise DataError('labels must read {"name": ["label", …]}', path)
    return {name: [str(text) for text in texts] for name, texts in labels.items()}


def add_likeliest(
    outputs: dict[str, np.ndarray], classes: dict[str, str], labels: dict[str, list[str]]
) -> dict[str, np.ndarray]:
    """Return `outputs`, `(n, …)` each, and for every target that has
    `labels` the texts of the likeliest classes, `(n,)` or `(n, steps)`.

    `classes` maps an output, `(n, …, classes)`, to the target
    it is trained for. A class without a text has its index.
    """
    found = dict(outputs)
    for output, target in classes.items():
        if target in labels and outputs[output].ndim > 1:
            known, count = labels[target], outputs[output].shape[-1]
            texts = np.array([*known[:count], *(str(i) for i in range(len(known), count))])
            found[target] = texts[outputs[output].argmax(axis=-1)]
    return found
