"""The data of a script: a few plain lines that read, split and scale exactly what this spec names."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.codegen import data as shared
from dotnn.codegen import tree
from dotnn.codegen.lines import literal
from dotnn.codegen.wrap import WIDTH, wrapped
from dotnn.core.arguments import show
from dotnn.model.model import Data, FileSource, Model, Split
from dotnn.targets.numpy.explain.prose import prose

CLASSES = '''
def class_numbers(texts):
    """Return whole numbers as they are, other texts by their place in sorted order."""
    return texts.astype(int) if np.char.isdigit(texts).all() else np.unique(texts, return_inverse=True)[1]
'''
SCALE = '''
def scale(values, s):
    """Return raw numbers scaled."""
    return (values - s["shift"]) * s["scale"]
'''
STANDARD = '''
def standard(values):
    """Return what brings every feature to mean 0 and deviation 1; a constant one is only shifted."""
    constant = values.max(axis=0) == values.min(axis=0)
    shift = np.where(constant, values[0], values.mean(axis=0))
    return {"shift": shift, "scale": 1 / np.where(constant, 1, values.std(axis=0))}
'''
RANGE = '''
def to_range(values, low, high):
    """Return what brings every feature between `low` and `high`; a constant one is only shifted."""
    least, most = values.min(axis=0), values.max(axis=0)
    scale = (high - low) / np.where(most > least, most - least, 1)
    return {"shift": least - low / scale, "scale": scale}
'''
STRATIFIED = '''
def split_rows(labels, shares, seed):
    """Return the rows of each part; every class has its share in each of them, to within one example."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]  # class by class
    exact = len(labels) * np.array(shares)
    totals = np.floor(exact + 1e-9).astype(int)
    totals[np.argsort(totals - exact, kind="stable")[: len(labels) - totals.sum()]] += 1
    sizes = np.unique(labels, return_counts=True)[1]
    counts = np.floor(np.outer(sizes, shares) + 1e-9).astype(int)
    for row, size in zip(counts, sizes, strict=True):  # what is left goes to the parts that need most
        neediest = np.lexsort((row - size * np.array(shares), counts.sum(axis=0) - totals))
        row[neediest[: size - row.sum()]] += 1
    part = np.concatenate([np.repeat(np.arange(len(shares)), row) for row in counts])
    return [np.sort(order[part == i]) for i in range(len(shares))]
'''


class DataWriter:
    """Writes what a script does with data."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.data = model.data or Data()

    def items(self) -> list[tree.Item]:
        """Return the functions."""
        source, scales = self.data.source, {s.method for s in self.data.scales}
        helpers = [source.entry.plain] if source and source.entry.table else []
        helpers += [CLASSES] if self._has_texts() else []
        helpers += [STANDARD] if "standard" in scales else []
        helpers += [RANGE] if "range" in scales else []
        split = self.data.split
        helpers += [SCALE] if scales else []
        helpers += [STRATIFIED] if split and split.stratify else []
        functions = [self._load(), self._prepare()]
        return [tree.Prose(text.strip("\n")) for text in [*helpers, *functions]]

    def modules(self) -> set[str]:
        """Return the standard modules that they use."""
        source = self.data.source
        return {"pathlib", *source.entry.modules} if source else set()

    def _has_texts(self) -> bool:
        source = self.data.source
        kinds = shared.raw_kinds(self.model)
        return bool(source and source.entry.table and any(kinds[n].startswith("class") for n in source.fields))

    # ------------------------------------------------------------------------------------------------------- load

    def _load(self) -> str:
        source = self.data.source
        head = ["def load_data(path=None):", '    """Return the examples of the spec, raw, by name."""']
        if source is not None:
            own = f"path or pathlib.Path(__file__).parent / {literal(source.path)}"
            if not source.entry.table and source.entry.plain == "np.load(path)":
                return prose([*head, f"    arrays = np.load({own})", *self._arrays_of(source)[1:]])
            head.append(f"    path = {own}")
            return prose([*head, *(self._table(source) if source.entry.table else self._arrays_of(source))])
        if not self.data.inline:
            head[1] = '    """Return the examples in an .npz file, by name; the spec has none of its own."""'
            names = literal((*self.model.inputs, *self.model.targets))
            return prose([
                *head,
                "    if path is None:",
                '        raise ValueError("the spec has no data: pass them to train, or name a file with --data")',
                "    arrays = np.load(path)",
                *wrapped(f"return {{name: arrays[name] for name in {names}}}", 4),
            ])  # fmt: skip
        if all(len(str(rows)) < 300 for rows in self.data.inline.values()):
            entries = ", ".join(f'"{n}": np.array({show(rows)})' for n, rows in self.data.inline.items())
            return prose([*head, *wrapped(f"return {{{entries}}}", 4)])
        return prose([*head, *self._inline()])

    def _inline(self) -> list[str]:
        lines = ["    return {"]
        for name, rows in self.data.inline.items():
            made = wrapped(f"return [{', '.join(show(row) for row in rows)}]", 8)
            made = [line.removesuffix(" ") for line in made]
            if len(made) == 1:
                lines.append(f'        "{name}": np.array({made[0].strip().removeprefix("return ")}),')
            else:
                lines += [f'        "{name}": np.array([', *made[1:-1], "        ]),"]
        return [*lines, "    }"]

    def _table(self, source: FileSource) -> list[str]:
        kinds = shared.raw_kinds(self.model)
        entries = []
        for name, columns in source.fields.items():
            inputs = f'INPUT_COLUMNS["{name}"]' if name in self.model.inputs else literal(list(columns))
            cells = f"{source.entry.function}(path, {inputs})"
            if kinds[name].startswith("class"):
                entries.append(f'"{name}": class_numbers({cells}[:, 0])')
            else:
                entries.append(f'"{name}": {cells}.astype({"int" if kinds[name].startswith("int") else "float"})')
        return _dict("return ", entries)

    def _arrays_of(self, source: FileSource) -> list[str]:
        keys = {name: columns[0] for name, columns in source.fields.items()}
        if all(name == key for name, key in keys.items()):
            return [
                f"    arrays = {source.entry.plain}",
                f"    return {{name: arrays[name] for name in {literal(tuple(keys))}}}",
            ]
        return [
            f"    arrays = {source.entry.plain}",
            *_dict("return ", [f'"{n}": arrays[{literal(k)}]' for n, k in keys.items()]),
        ]

    # ---------------------------------------------------------------------------------------------------- prepare

    def _prepare(self) -> str:
        split, scales = self.data.split, self.data.scales
        what = " and ".join(word for word, there in (("split", split), ("scale", scales)) if there).capitalize()
        fitted = "what was fitted on the training part" if scales else "an empty dict: nothing is scaled"
        doc = f"{what + ': return' if what else 'Return'} the parts, and {fitted}."
        lines = ["def prepare(data, dtype=np.float32):", f'    """{doc}"""', *self._arrays()]
        lines += self._split(split) if split else []
        if scales:
            where = '[rows["train"]]' if split else ""
            lines += _dict("scaling = ", self._fitted(where))
            for name in (n for scale in scales for n in scale.names):
                lines.append(f'    arrays["{name}"] = scale(arrays["{name}"], scaling["{name}"]).astype(dtype)')
        scaling = "scaling" if scales else "{}"
        if not split:
            return prose([*lines, f'    return {{"train": arrays}}, {scaling}'])
        parts = "{part: {n: v[r] for n, v in arrays.items()} for part, r in rows.items()}"
        return prose([*lines, f"    return {parts}, {scaling}"])

    def _declared(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        inputs, targets = shared.declarations(self.model)
        return {**inputs, **targets}

    def _arrays(self) -> list[str]:
        """Return the arrays in the declared shapes."""
        scaled = {n for scale in self.data.scales for n in scale.names}
        entries = []
        for name, (kind, shape) in self._declared().items():
            whole = kind.startswith(("int", "class"))
            text = f'np.asarray(data["{name}"], {"int" if whole else "float" if name in scaled else "dtype"})'
            if name in self.data.one_hot:
                text = f'np.eye({shape[-1]}, dtype=dtype)[np.asarray(data["{name}"], int)]'
            entries.append(f'"{name}": {text}.reshape({", ".join(map(str, (-1, *shape)))})')
        return wrapped(f"arrays = {{{', '.join(entries)}}}", 4)

    def _split(self, split: Split) -> list[str]:
        shares = {part: share for part, share in split.fractions.items() if share}
        names, numbers = str(tuple(shares)).replace("'", '"'), list(shares.values())
        if split.stratify:
            rows = f'split_rows(arrays["{split.stratify}"], {numbers}, seed={split.seed})'
            return [f"    parts = {rows}", f"    rows = dict(zip({names}, parts, strict=True))"]
        first = next(iter(self.model.inputs))
        return [
            f'    count = len(arrays["{first}"])',
            f"    exact = count * np.array({numbers})",
            "    sizes = np.floor(exact + 1e-9).astype(int)",
            '    sizes[np.argsort(sizes - exact, kind="stable")[: count - sizes.sum()]] += 1',
            f"    parts = np.split(np.random.default_rng({split.seed}).permutation(count), np.cumsum(sizes)[:-1])",
            f"    rows = dict(zip({names}, map(np.sort, parts), strict=True))",
        ]

    def _fitted(self, where: str) -> list[str]:
        entries = []
        for scale in self.data.scales:
            for name in scale.names:
                values = f'arrays["{name}"]{where}'
                if scale.method == "divide":
                    by, shape = show(scale.attrs["by"]), shared._declared(self.model, name).type.example
                    shift, factor = f"np.zeros({_shape(shape)})", f"np.full({_shape(shape)}, 1 / {by})"
                    entries.append(f'"{name}": {{"shift": {shift}, "scale": {factor}}}')
                elif scale.method == "range":
                    low, high = (show(v) for v in scale.attrs.values())
                    entries.append(f'"{name}": to_range({values}, {low}, {high})')
                else:
                    entries.append(f'"{name}": standard({values})')
        return entries


def _shape(shape: Sequence[int]) -> str:
    return str(shape[0]) if len(shape) == 1 else literal(tuple(shape))


def _dict(head: str, entries: Sequence[str]) -> list[str]:
    """Return a dict on one line where it fits, else with an entry a line."""
    line = f"    {head}{{{', '.join(entries)}}}"
    hugged = wrapped(f"{head}{{{', '.join(entries)}}}", 4)
    if len(hugged) == len(entries) or len(line) <= WIDTH:
        return hugged
    return [f"    {head}{{", *(made for e in entries for made in _entry(e)), "    }"]


def _entry(entry: str) -> list[str]:
    if len(entry) + 9 <= 110:
        return [f"        {entry},"]
    made = wrapped(entry.partition(": ")[2], 8)
    return [f"        {entry.partition(': ')[0]}: {made[0].strip()}", *made[1:-1], f"{made[-1]},"]
