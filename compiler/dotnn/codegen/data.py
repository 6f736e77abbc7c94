"""The lines that read, check, split and scale the examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dotnn.codegen.lines import literal, on_the_page, table_lines, wrapped
from dotnn.codegen.wrap import INDENT
from dotnn.core.arguments import show
from dotnn.model.model import Data, Declared, FileSource, Model, Scale

FIT = {"range": "fit_range", "standard": "fit_standard", "divide": "fit_divide"}
_APPLY = (
    "    for name, s in scaling.items():",
    "        part[name] = part[name].then(lambda a, s=s: apply_scaling(a, s))",
)


def declarations(model: Model) -> tuple[dict[str, tuple[str, tuple[int, ...]]], dict[str, tuple[str, tuple[int, ...]]]]:
    """Return `INPUTS` and `TARGETS`: name -> (kind, shape of one example)."""
    inputs = {n: (model.input_kind(n), d.type.example) for n, d in model.inputs.items()}
    targets = {n: (model.target_kind(n), d.type.example) for n, d in model.targets.items()}
    return inputs, targets


def raw_kinds(model: Model) -> dict[str, str]:
    """Return the kinds of the arrays as they are read: before one-hot encoding and scaling."""
    kinds: dict[str, str] = {}
    for table in declarations(model):
        kinds |= {name: kind for name, (kind, _) in table.items()}
    if model.data:
        kinds |= {name: f"class:{_declared(model, name).type.example[-1]}" for name in model.data.one_hot}
        kinds |= {name: "real" for scale in model.data.scales for name in scale.names}
    kinds |= dict.fromkeys(binary_targets(model), "binary")
    return kinds


def binary_targets(model: Model) -> list[str]:
    """Return the targets of numbers that must be 0 or 1, because a metric takes them for classes."""
    return [name for name in model.targets if model.raw_kind(name) == "binary"]


def _declared(model: Model, name: str) -> Declared:
    return model.inputs.get(name) or model.targets[name]


_NO_DATA = 'raise DataError("the spec has no data section", help="pass data to train, or use --data FILE.npz")'


def load_lines(model: Model) -> list[str]:
    """Return the body of `load_data`: the spec's own examples, as raw arrays (or with texts of classes)."""
    data = model.data or Data()
    if data.source is None:
        names = {name: name for name in (*model.inputs, *model.targets)}
        return [
            "if path is not None:",
            *on_the_page(f"    return read_npz(path, {literal(names)})", INDENT),
            *(_inline_lines(data.inline) if data.inline else [_NO_DATA]),
        ]
    path = f"locate({literal(data.source.path)}, __file__, path)"
    return _table_lines(model, data.source, path) if data.source.entry.table else _arrays_lines(data.source, path)


def _table_lines(model: Model, source: FileSource, path: str) -> list[str]:
    """Return the lines that read columns, with the texts of the classes where they are wanted."""
    columns = [f"{literal(name)}: {literal(list(names))}" for name, names in source.fields.items()]
    kinds = {name: kind for name, kind in raw_kinds(model).items() if name in source.fields}
    read = f"{source.entry.function}({path}, columns, {literal(kinds)})"
    made = on_the_page(f"{'return' if classes(model) else 'data, labels ='} {read}", INDENT)
    return [*table_lines("columns", columns, room=INDENT), *made, *([] if classes(model) else ["return data"])]


def _arrays_lines(source: FileSource, path: str) -> list[str]:
    """Return the lines that read arrays by their keys."""
    keys = {name: words[0] for name, words in source.fields.items()}
    return on_the_page(f"return {source.entry.function}({path}, {literal(keys)})", INDENT)


def _inline_lines(inline: Mapping[str, Any]) -> list[str]:
    lines = ["return {"]
    for name, rows in inline.items():
        array = wrapped(f'"{name}": np.array([', [show(row) for row in rows], "]),", room=2 * INDENT)
        lines += [" " * INDENT + line for line in array]
    return [*lines, "}"]


def prepare_lines(model: Model, more: str = "") -> list[str]:
    """Return the body of `prepare`: raw arrays in, scaled parts out; `more` are arguments of `prepared`."""
    data = model.data or Data()
    lines = ["data = dict(data)"] if data.one_hot else []
    for name in data.one_hot:
        lines.append(f'data["{name}"] = one_hot(data["{name}"], {_declared(model, name).type.example[-1]})')
    lines.append(f"arrays = check_arrays(data, {_check_table(model)})")
    lines += _split_lines(data)
    lines += _scale_lines(data.scales)
    lines += ["for part in parts.values():", *_APPLY] if data.scales else []
    return [*lines, f"return prepared(parts, dtype{more}), scaling"]


def _check_table(model: Model) -> str:
    """Return the declarations to check raw arrays by; a scaled array may hold any numbers before it is scaled."""
    scaled = {name for s in (model.data.scales if model.data else ()) for name in s.names}
    loose = any(model.target_kind(n) == "unit" for n in scaled & model.targets.keys())
    kinds = dict.fromkeys(sorted(scaled) if loose else (), "real") | dict.fromkeys(binary_targets(model), "binary")
    raw = [f'"{n}": ("{kind}", {_declared(model, n).type.example})' for n, kind in kinds.items()]
    return f"{{{', '.join(['**INPUTS', '**TARGETS', *raw])}}}"


def _split_lines(data: Data) -> list[str]:
    if data.split is None:
        return ['parts = {"train": {name: Rows(values) for name, values in arrays.items()}}']
    fractions = {k: v for k, v in data.split.fractions.items() if v}
    by = f'arrays["{data.split.stratify}"]' if data.split.stratify else "None"
    return [
        "count = len(next(iter(arrays.values())))",
        f"chosen = split_indices(count, {literal(fractions)}, {data.split.seed}, {by})",
        "parts = {part: {name: Rows(a, rows) for name, a in arrays.items()} for part, rows in chosen.items()}",
    ]


def _scale_lines(scales: tuple[Scale, ...]) -> list[str]:
    if not scales:
        return ["scaling = {}"]
    lines = ["# Fitted on the training part only: the others must not leak into it.", "scaling = {"]
    for scale in scales:
        numbers = "".join(f", {show(v)}" for v in scale.attrs.values())
        lines += [f'    "{name}": {FIT[scale.method]}(parts["train"]["{name}"]{numbers}),' for name in scale.names]
    return [*lines, "}"]


def table_source(model: Model) -> FileSource | None:
    """Return where the examples come from, if that is a table."""
    source = model.data.source if model.data else None
    return source if source is not None and source.entry.table else None


def classes(model: Model) -> dict[str, str]:
    """Return the outputs that are trained towards a class which is a column of texts or numbers: output -> target."""
    kinds = raw_kinds(model) if table_source(model) else {}
    paths = {t.output: t.target for t in model.train.losses if kinds.get(t.target, "").startswith("class")}
    return {name: paths[path] for name, path in model.outputs.items() if path in paths}


def scaled_outputs(model: Model) -> dict[str, str]:
    """Return the outputs that are trained towards a scaled target: output -> target."""
    scaled = {name for s in (model.data.scales if model.data else ()) for name in s.names}
    paths = {t.output: t.target for t in model.train.losses if t.target in scaled}
    return {name: paths[path] for name, path in model.outputs.items() if path in paths}


def scaled_inputs(model: Model) -> list[str]:
    """Return the inputs that the data section scales."""
    return [name for s in (model.data.scales if model.data else ()) for name in s.names if name in model.inputs]


def scaled_shapes(model: Model) -> dict[str, tuple[int, ...]]:
    """Return the shapes of one example of what the data section scales."""
    scales = model.data.scales if model.data else ()
    return {name: _declared(model, name).type.example for scale in scales for name in scale.names}
