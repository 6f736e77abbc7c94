"""The examples of a spec as a training takes them: checked, split and scaled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dotnn.codegen.data import binary_targets
from dotnn.model.model import Data, Model, Scale
from dotnn_runtime.script.arrays import check_arrays, in_precision
from dotnn_runtime.script.encode import one_hot
from dotnn_runtime.script.scaling import apply_scaling, fit_divide, fit_range, fit_standard
from dotnn_runtime.script.split import split_indices

Arrays = dict[str, np.ndarray]
FIT = {"divide": fit_divide, "range": fit_range, "standard": fit_standard}


def checked_parts(model: Model, examples: Mapping[str, np.ndarray], dtype: Any = np.float32) -> dict[str, Arrays]:
    """Return the parts that a training would make of raw arrays. Raises `DataError` where one cannot be trained on."""
    data = model.data or Data()
    arrays = dict(examples)
    for name in data.one_hot:
        arrays[name] = one_hot(arrays[name], _shape(model, name)[-1])
    arrays = check_arrays(arrays, _declarations(model))
    parts = {"train": arrays}
    if data.split is not None:
        shares = {part: share for part, share in data.split.fractions.items() if share}
        by = arrays[data.split.stratify] if data.split.stratify else None
        chosen = split_indices(len(next(iter(arrays.values()))), shares, data.split.seed, by)
        parts = {part: {name: values[rows] for name, values in arrays.items()} for part, rows in chosen.items()}
    for scale in data.scales:
        _scale(scale, parts)
    return {part: in_precision(some, dtype) for part, some in parts.items()}


def _scale(scale: Scale, parts: dict[str, Arrays]) -> None:
    for name in scale.names:
        fitted = FIT[scale.method](parts["train"][name], *scale.attrs.values())  # type: ignore[operator]
        for part in parts.values():
            part[name] = apply_scaling(part[name], fitted)


def _shape(model: Model, name: str) -> tuple[int, ...]:
    declared = model.inputs.get(name) or model.targets[name]
    return declared.type.example


def _declarations(model: Model) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return what the arrays must be; a scaled one may hold any numbers before it is scaled."""
    kinds = {name: model.input_kind(name) for name in model.inputs}
    kinds |= {name: model.target_kind(name) for name in model.targets}
    scaled = {name for scale in (model.data.scales if model.data else ()) for name in scale.names}
    if any(model.target_kind(n) == "unit" for n in scaled & model.targets.keys()):
        kinds |= dict.fromkeys(sorted(scaled), "real")
    kinds |= dict.fromkeys(binary_targets(model), "binary")
    return {name: (kind, _shape(model, name)) for name, kind in kinds.items()}
