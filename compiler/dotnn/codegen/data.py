"""The lines that read, check, split and prepare the examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dotnn.codegen.lines import literal, on_the_page, table_lines, wrapped
from dotnn.codegen.preparing import Chain, Step, chains, fitted, undone_outputs
from dotnn.codegen.wrap import INDENT
from dotnn.core.arguments import show
from dotnn.model.model import Data, FileSource, Model
from dotnn.model.raw import Declaration, prepared_declaration, raw_declarations


def declarations(model: Model) -> tuple[dict[str, Declaration], dict[str, Declaration]]:
    """Return `INPUTS` and `TARGETS`: name -> (kind, shape of one example)."""
    inputs = {name: prepared_declaration(model, name) for name in model.inputs}
    return inputs, {name: prepared_declaration(model, name) for name in model.targets}


def raw_inputs(model: Model) -> dict[str, Declaration]:
    """Return `RAW_INPUTS`: what `predict` takes, where that is something else than what the network takes."""
    raw = {n: d for n, d in raw_declarations(model, training=False).items() if n in model.inputs}
    return {} if raw == declarations(model)[0] else raw


_NO_DATA = 'raise DataError("the spec has no data section", help="pass data to train, or use --data FILE.npz")'


def load_lines(model: Model) -> list[str]:
    """Return the body of `load_data`: the spec's own examples, as raw arrays (or with texts of classes)."""
    data = model.data or Data()
    if data.source is None:
        names = {name: name for name in raw_declarations(model)}
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
    kinds = {name: kind for name, (kind, _) in raw_declarations(model).items() if name in source.fields}
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
    """Return the body of `prepare`: raw arrays in, prepared parts out; `more` are arguments of `prepared`."""
    data, ways = model.data or Data(), chains(model)
    lines = wrapped("arrays = check_arrays(data, {", _check_table(model), "})", room=INDENT)
    lines += [f'arrays["{name}"] = arrays["{origin}"]' for name, origin in data.made_of.items()]
    dropping = [name for name, chain in ways.items() if chain.drops]
    lines += [f"arrays = without_gaps(arrays, {literal(tuple(dropping))})"] if dropping else []
    lines += [f"{values} = {step.apply(values)}" for values, step in _encoded(ways.values())]
    lines += _split_lines(data)
    lines += ["# Fitted on the training part only: the others must not leak into it."] if fitted(model) else []
    lines += ["scaling = {}"]
    lines += [line for chain in ways.values() for line in _prepared(chain)]
    return [*lines, f"return prepared(parts, dtype{more}), scaling"]


def _encoded(ways: Iterable[Chain]) -> Iterator[tuple[str, Step]]:
    """Yield the arrays that become others, of classes or of rows, whatever the training part is; with each step."""
    for chain in ways:
        yield from ((f'arrays["{chain.name}"]', step) for step in chain.steps if step.encodes)


def _prepared(chain: Chain) -> Iterator[str]:
    """Yield the lines that fit and apply what is done to an array."""
    values, sign = f'part["{chain.name}"]', "="
    for step in chain.steps:
        if fit := step.fit(f'parts["train"]["{chain.name}"]'):
            yield f'scaling["{chain.name}"] {sign} {fit}'
            sign = "|="
        if step.does_something and not step.encodes:
            numbered = f"Rows({step.apply(f'np.asarray({values})')})"
            scaled = f"{values}.then(lambda a: {step.apply('a')})"
            yield "for part in parts.values():"
            yield f"    {values} = {numbered if step.entry.counts else scaled}"


def predict_lines(model: Model) -> list[str]:
    """Return the lines of `predict` that prepare the `batch` of raw inputs."""
    ways = {name: chain for name, chain in chains(model).items() if name in model.inputs}
    made = sorted(ways.values(), key=lambda chain: chain.origin == chain.name)  # of others, before these are prepared
    values = 'batch["{}"]'.format
    return [f"{values(chain.name)} = {chain.apply(values(chain.origin))}" for chain in made if chain.acts]


def undone_lines(model: Model) -> list[str]:
    """Return the lines of `predict` that take outputs to the units of their targets."""
    values = {f'outputs["{name}"]': chain for name, chain in undone_outputs(model).items()}
    return [f"{text} = {chain.undo(text)}" for text, chain in values.items()]


def _check_table(model: Model) -> list[str]:
    """Return the declarations to check raw arrays by: those of `predict`, and what differs in training."""
    inputs, targets = declarations(model)
    named = "RAW_INPUTS" if raw_inputs(model) else "INPUTS"
    known = {**(raw_inputs(model) or inputs), **targets}
    more = [f'"{n}": {literal(declared)}' for n, declared in raw_declarations(model).items() if declared != known[n]]
    return [f"**{named}", "**TARGETS", *more]


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


def table_source(model: Model) -> FileSource | None:
    """Return where the examples come from, if that is a table."""
    source = model.data.source if model.data else None
    return source if source is not None and source.entry.table else None


def classes(model: Model) -> dict[str, str]:
    """Return the outputs that are trained towards a class which is a column of texts or numbers: output -> target."""
    kinds = raw_declarations(model) if table_source(model) else {}
    ways = (model.data or Data()).prepared
    made = {name for name, some in ways.items() if any(way.entry.key == "column" for way in some)}
    paths = {
        t.output: t.target
        for t in model.train.losses
        if t.target in kinds and kinds[t.target][0].startswith("class") and t.target not in made
    }
    return {name: paths[path] for name, path in model.outputs.items() if path in paths}
