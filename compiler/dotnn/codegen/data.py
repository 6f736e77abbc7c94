"""The lines that read, check, split and prepare the examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dotnn.codegen.lines import all_on_the_page, literal, on_the_page, table_lines, wrapped
from dotnn.codegen.preparing import Chain, Step, chains, fitted, undone_outputs
from dotnn.codegen.wrap import INDENT
from dotnn.core.arguments import show
from dotnn.library.sources.inline import INLINE
from dotnn.model.model import Data, FileSource, Model, Split
from dotnn.model.raw import Declaration, prepared_declaration, raw_declarations, read_kinds


def declarations(model: Model) -> tuple[dict[str, Declaration], dict[str, Declaration]]:
    """Return `INPUTS` and `TARGETS`: name -> (kind, shape of one example)."""
    inputs = {name: prepared_declaration(model, name) for name in model.inputs}
    return inputs, {name: prepared_declaration(model, name) for name in model.targets}


def raw_inputs(model: Model) -> dict[str, Declaration]:
    """Return `RAW_INPUTS`: what `predict` takes, where that is something else than what the network takes."""
    raw = {n: d for n, d in raw_declarations(model, training=False).items() if n in model.inputs}
    return {} if raw == declarations(model)[0] else raw


def raw_targets(model: Model) -> dict[str, Declaration]:
    """Return `RAW_TARGETS`: the targets as they are read, where more is done to them than scaling."""
    raw = {name: d for name, d in raw_declarations(model).items() if name in model.targets}
    own = declarations(model)[1]
    return raw if any(d != own[name] and d[0] not in ("real", "binary") for name, d in raw.items()) else {}


_NO_DATA = 'raise DataError("the spec has no data section", help="pass data to train, or use --data FILE.npz")'


def load_lines(model: Model, from_one: Sequence[str] = ()) -> list[str]:
    """Return the body of `load_data`: the spec's own examples, as raw arrays (or with texts of classes).

    The classes of the arrays `from_one` are counted from 1 in their files.
    """
    data = model.data or Data()
    if data.source is None:
        names = {name: name for name in raw_declarations(model)}
        return [
            "if path is not None:",
            *on_the_page(f"    return read_npz(path, {literal(names)})", INDENT),
            *(_inline_lines(data.inline) if data.inline else [_NO_DATA]),
        ]
    begin = "examples =" if from_one else "return"
    if data.source.formats:
        return [*_files_lines(data, data.source, begin), *counted_from_zero(from_one)]
    if data.source.entry.converted:
        return _converted_lines(model, data, data.source)
    if data.source.entry.table:
        return _table_lines(model, data)
    return [*_arrays_lines(data, begin), *counted_from_zero(from_one)]


def counted_from_zero(names: Sequence[str]) -> list[str]:
    """Return the lines that count classes from 0, and return the `examples`; none where all are."""
    shifted = [
        f'examples["{name}"] = examples["{name}"].astype(np.int64) - 1  # its classes are counted from 1 in the file'
        for name in names
    ]
    return [*shifted, "return examples"] if names else []


def _paths(data: Data) -> dict[str, str]:
    """Return the expressions of the path of the source, "train", and of those of the parts with files of their own."""
    assert data.source is not None
    paths = {"train": f"locate({literal(data.source.file)}, __file__, path)"}
    return paths | {part: f"locate_beside({literal(file.file)}, __file__, path)" for part, file in data.files.items()}


def _table_lines(model: Model, data: Data) -> list[str]:
    """Return the lines that read columns, with the texts of the classes where they are wanted."""
    assert data.source is not None
    source, labelled, paths = data.source, bool(classes(model)), _paths(data)
    columns = [f"{literal(name)}: {literal(list(names))}" for name, names in source.fields.items()]
    kinds = literal({name: kind for name, kind in read_kinds(model).items() if name in source.fields})
    lines = table_lines("columns", columns, room=INDENT)
    if not data.files:
        read = f"{source.entry.function}({paths['train']}, columns, {kinds}{form(source)})"
        bare = labelled and not source.windows
        lines += on_the_page(f"{'return' if bare else 'data, labels ='} {read}", INDENT)
        return lines if bare else [*lines, f"return {_seen(source, 'data')}{', labels' * labelled}"]
    lines += on_the_page(f"kinds = {kinds}", INDENT)
    for part, path in paths.items():
        found, known = ("train, labels", "") if part == "train" else (f"{part}, _", ", labels")
        read = f"{source.entry.function}({path}, columns, kinds{known}{form(source)})"
        lines += on_the_page(f"{found} = {read}", INDENT)
    parts = [f"{literal(part)}: {_seen(source, part)}" for part in paths]
    return [*lines, *wrapped("return join_parts({", parts, "})" + ", labels" * labelled, room=INDENT)]


def _seen(source: FileSource, arrays: str) -> str:
    """Return the expression of what is seen of the arrays of a table."""
    return f"in_windows({arrays}, WINDOWS)" if source.windows else arrays


def form(source: FileSource) -> str:
    """Return the arguments that say how a file is written, where that is not as usual."""
    return ", **FORMAT" if source.options else ""


def _arrays_lines(data: Data, begin: str) -> list[str]:
    """Return the lines that read arrays by their keys."""
    assert data.source is not None
    keys = literal({name: words[0] for name, words in data.source.fields.items()})
    read, paths = data.source.entry.function, _paths(data)
    if not data.files:
        return on_the_page(f"{begin} {read}({paths['train']}, {keys})", INDENT)
    parts = [f"{literal(part)}: {read}({path}, keys)" for part, path in paths.items()]
    return [*on_the_page(f"keys = {keys}", INDENT), *wrapped(f"{begin} join_parts({{", parts, "})", room=INDENT)]


def _converted_lines(model: Model, data: Data, source: FileSource) -> list[str]:
    """Return the lines that read what a command has made of a source."""
    read, paths, labelled = source.entry.function, _paths(data), bool(classes(model))
    keys = literal({name: words[0] for name, words in source.fields.items()})
    lines = [f"# {file.command(model)}" for file in (source, *data.files.values())]
    if not data.files:
        return [*lines, *on_the_page(f"return {read}({paths['train']}, {keys}){'' if labelled else '[0]'}", INDENT)]
    lines += on_the_page(f"keys = {keys}", INDENT)
    for part, path in paths.items():
        found, known = ("train, labels", "") if part == "train" else (f"{part}, _", ", labels")
        lines += on_the_page(f"{found} = {read}({path}, keys{known})", INDENT)
    joined = wrapped(
        "return join_parts({", [f"{literal(p)}: {p}" for p in paths], "})" + ", labels" * labelled, room=INDENT
    )
    return [*lines, *joined]


def _files_lines(data: Data, source: FileSource, begin: str) -> list[str]:
    """Return the lines that read a file for each array."""
    if not data.files:
        return wrapped(f"{begin} {{", _array_files(source), "}", room=INDENT)
    lines = []
    for part, files in {"train": source, **data.files}.items():
        lines += wrapped(f"{part} = {{", _array_files(files), "}", room=INDENT)
    parts = [f"{literal(part)}: {part}" for part in ("train", *data.files)]
    return [*lines, *wrapped(f"{begin} join_parts({{", parts, "})", room=INDENT)]


def _array_files(source: FileSource) -> list[str]:
    """Return an entry for each array: its name, and the expression that reads its file."""
    files = {name: f"locate_beside({literal(file)}, __file__, path)" for name, (file,) in source.fields.items()}
    return [f"{literal(name)}: {source.reader(name).function}({path})" for name, path in files.items()]


def readers(model: Model) -> dict[str, str]:
    """Return the sources that read an input from a file or folder of its own, by the name of the input."""
    source = model.data.source if model.data else None
    if source is None:
        return {}
    other = source.entry.converted or source.entry.numbered
    formats = source.formats or (dict.fromkeys(source.fields, source.format) if other else {})
    return {name: format for name, format in formats.items() if name in model.inputs}


def npz_keys(model: Model) -> str:
    """Return the keys of an .npz file of inputs: their own names, but in what a command has made."""
    source = model.data.source if model.data else None
    if source is not None and source.entry.converted:
        return literal({name: keys[0] for name, keys in source.fields.items() if name in model.inputs})
    return f"{{name: name for name in {'RAW_INPUTS' if raw_inputs(model) else 'INPUTS'}}}"


def read_array(model: Model) -> str:
    """Return what reads the file of the only input, where each array has one; "" elsewhere."""
    source = model.data.source if model.data else None
    if source is None or not source.formats or len(model.inputs) != 1:
        return ""
    (name,) = model.inputs
    return f"{literal(name)}: {source.reader(name).function}"


def _inline_lines(inline: Mapping[str, Any]) -> list[str]:
    lines = ["return {"]
    opening, _, closing = INLINE.plain_for({}, "").partition("{rows}")
    for name, rows in inline.items():
        array = wrapped(f'"{name}": {opening}', [show(row) for row in rows], f"{closing},", room=2 * INDENT)
        lines += [" " * INDENT + line for line in array]
    return [*lines, "}"]


def prepare_lines(model: Model, more: str) -> list[str]:
    """Return the body of `prepare`: raw arrays in, prepared parts out; `more` are arguments of `prepared`."""
    ways, lines = chains(model), [*_arrays_of_all(model), *_parts_of_all(model)]
    lines += ["# Fitted on the training part only: the others must not leak into it."] if fitted(model) else []
    lines += ["scaling = {}"]
    prepared = (statement for chain in ways.values() for statement in _prepared(chain))
    lines += [line for statement in prepared for line in on_the_page(statement, INDENT)]
    return [*lines, f"return prepared(parts, dtype{more}), scaling"]


PLACE = "place in its file"
"""What the place of each example is called beside its arrays; no input or target can be."""


def place_lines(model: Model) -> list[str]:
    """Return the body of a function of raw arrays `data` that returns where in these the examples of each part are."""
    chosen = [line for line in _parts_of_all(model) if not line.startswith("parts = ")]
    if not any(line.startswith("chosen = ") for line in chosen):
        chosen.append(f'chosen = {{"train": np.arange(len(arrays["{PLACE}"]))}}')
    places = "np.arange(len(next(iter(arrays.values()))))"
    found = f'{{part: arrays["{PLACE}"][rows] for part, rows in chosen.items()}}'
    return [*_arrays_of_all(model, places), *chosen, f"return {found}"]


def _arrays_of_all(model: Model, places: str = "") -> list[str]:
    """Return the lines that check raw arrays and make of them what is split; with their `places`, if there is how."""
    data, ways = model.data or Data(), chains(model)
    lines = wrapped("arrays = check_arrays(data, {", _check_table(model), "})", room=INDENT)
    lines += [f'arrays["{PLACE}"] = {places}'] if places else []
    lines += [f'arrays["{name}"] = arrays["{origin}"]' for name, origin in data.made_of.items()]
    dropping = _dropping(ways)
    lines += [f"arrays = without_gaps(arrays, {dropping})"] if dropping and not splits_steps(data) else []
    encoded = (f"{values} = {step.apply(values)}" for values, step in _encoded(ways.values()))
    return [*lines, *all_on_the_page(encoded, INDENT)]


def _parts_of_all(model: Model) -> list[str]:
    """Return the lines that choose the rows of each part."""
    data = model.data or Data()
    dropped = _dropping(chains(model)) if splits_steps(data) else ""
    return [line for statement in _split_lines(model, data, dropped) for line in on_the_page(statement, INDENT)]


def _dropping(ways: Mapping[str, Chain]) -> str:
    """Return the arrays whose gaps leave an example out, "" for none."""
    names = tuple(name for name, chain in ways.items() if chain.drops)
    return literal(names) if names else ""


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
    found = [f"{values(chain.name)} = {chain.apply(values(chain.origin))}" for chain in made if chain.acts]
    return [line for statement in found for line in on_the_page(statement, INDENT)]


def undone_lines(model: Model) -> list[str]:
    """Return the lines of `predict` that take outputs to the units of their targets."""
    values = {f'outputs["{name}"]': chain for name, chain in undone_outputs(model).items()}
    return [line for text, chain in values.items() for line in on_the_page(f"{text} = {chain.undo(text)}", INDENT)]


def _check_table(model: Model) -> list[str]:
    """Return the declarations to check raw arrays by: those of raw inputs and targets, and what else is read."""
    inputs, targets = declarations(model)
    known = {**(raw_inputs(model) or inputs), **(raw_targets(model) or targets)}
    named = ["RAW_INPUTS" if raw_inputs(model) else "INPUTS", "RAW_TARGETS" if raw_targets(model) else "TARGETS"]
    raw = raw_declarations(model).items()
    more = [f'"{name}": {literal(declared)}' for name, declared in raw if declared != known.get(name)]
    return [*(f"**{name}" for name in named), *more]


def splits_steps(data: Data) -> bool:
    """Whether the steps of a series are split, and its windows with them."""
    source, split = data.source, data.split
    return source is not None and source.length > 1 and split is not None and bool(split.order)


def _split_lines(model: Model, data: Data, dropping: str = "") -> list[str]:
    """Return the lines that choose the rows of each part; those are left out with a gap in the arrays `dropping`."""
    if data.split is None and not data.files and not data.take:
        return ['parts = {"train": {name: Rows(values) for name, values in arrays.items()}}']
    lines = []
    if data.files:
        lines += ['part = arrays.pop("part")', 'own = rows_of_part(part, "train")']
    if data.split:
        alone = ".ravel()" if stratified_by_a_unit(model) else ""
        function, arguments = _chosen(data, data.split, alone)
        lines += wrapped(f"chosen = {function}(", arguments, ")", room=INDENT)
    if data.files:
        own = "{name: own[rows] for name, rows in chosen.items()}" if data.split else '{"train": own}'
        others = ", ".join(f'"{part}": rows_of_part(part, "{part}")' for part in data.files)
        lines.append(f"chosen = {own} | {{{others}}}")
    lines += [f"chosen = rows_without_gaps(chosen, arrays, {dropping})"] if dropping else []
    if data.take:
        lines += [] if lines else ['chosen = {"train": np.arange(len(next(iter(arrays.values()))))}']
        train = 'chosen["train"]'
        lines.append(f"{train} = {taken(data, 'some_rows({rows}, {count}, {seed})', train)}")
    return [
        *lines,
        "parts = {part: {name: Rows(a, rows) for name, a in arrays.items()} for part, rows in chosen.items()}",
    ]


def stratified_by_a_unit(model: Model) -> bool:
    """Whether a split keeps the shares of the two classes of a single unit."""
    name = model.data.split.stratify if model.data and model.data.split else ""
    return bool(name) and model.targets[name].kind != "class"


def taken(data: Data, drawn: str, rows: str) -> str:
    """Return the expression of the rows that are left to train on; `drawn` is a template of how they are drawn."""
    if data.split is not None and data.split.order:
        return f"{rows}[:{data.take}]"
    return drawn.format(rows=rows, count=data.take, seed=data.split.seed if data.split else 0)


def _chosen(data: Data, split: Split, alone: str) -> tuple[str, list[str]]:
    """Return the function that chooses the rows of each part, and its arguments; `own` are the rows of the source,
    where other parts have files, and `alone` leaves of what the split is stratified by one number for each example.
    """
    own = bool(data.files)
    fractions = literal({part: share for part, share in split.fractions.items() if share})
    count, of = ("len(own)", "[own]") if own else ("len(next(iter(arrays.values())))", "")
    if data.source and splits_steps(data):
        return "split_windows", [count, str(data.source.length), fractions]
    if split.order:
        keys = f'arrays.pop("order"){of}' if split.order == "column" else f"np.arange({count})"
        return "split_in_order", [keys, fractions]
    if split.grouped:
        return "split_groups", [f'arrays.pop("groups"){of}', fractions, str(split.seed)]
    by = f'arrays["{split.stratify}"]{of}{alone}' if split.stratify else "None"
    return "split_indices", [count, fractions, str(split.seed), by]


def table_source(model: Model) -> FileSource | None:
    """Return where the examples come from, if that is a table."""
    source = model.data.source if model.data else None
    return source if source is not None and source.entry.table else None


def classes(model: Model) -> dict[str, str]:
    """Return the outputs that are trained towards a class which is a column of texts or numbers: output -> target."""
    source = model.data.source if model.data else None
    kinds = raw_declarations(model) if source and (source.entry.table or source.entry.converted) else {}
    ways = (model.data or Data()).prepared
    made = {name for name, some in ways.items() if any(way.entry.key == "column" for way in some)}
    paths = {
        t.output: t.target
        for t in model.train.losses
        if t.target in kinds and kinds[t.target][0].startswith("class") and t.target not in made
    }
    return {name: paths[path] for name, path in model.outputs.items() if path in paths}
