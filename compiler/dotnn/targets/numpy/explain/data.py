"""The data of a script: a few plain lines that read, split and scale exactly what this spec names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dotnn.codegen import data as shared
from dotnn.codegen import tree
from dotnn.codegen.lines import literal, table
from dotnn.core.arguments import show
from dotnn.model.model import Data, FileSource, Model, Scale, Split
from dotnn.targets.numpy.explain.spec_text import SpecText

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
    """Return the shift and scale to mean 0 and deviation 1; a constant feature is only shifted."""
    constant = values.max(axis=0) == values.min(axis=0)
    shift = np.where(constant, values[0], values.mean(axis=0))
    return {"shift": shift, "scale": 1 / np.where(constant, 1, values.std(axis=0))}
'''
RANGE = '''
def to_range(values, low, high):
    """Return the shift and scale to the range from `low` to `high`; a constant feature is only shifted."""
    least, most = values.min(axis=0), values.max(axis=0)
    scale = (high - low) / np.where(most > least, most - least, 1)
    return {"shift": least - low / scale, "scale": scale}
'''
NO_DATA = "the spec has no data: pass them to train, or name a file with --data"


class DataWriter:
    """Writes what a script does with data."""

    def __init__(self, model: Model, spec: SpecText) -> None:
        self.model, self.spec = model, spec
        self.data = model.data or Data()

    def items(self) -> list[tree.Item]:
        """Return the functions."""
        source, scales = self.data.source, {s.method for s in self.data.scales}
        helpers = [source.entry.plain] if source and source.entry.table else []
        helpers += [CLASSES] if self._has_texts() else []
        helpers += [STANDARD] if "standard" in scales else []
        helpers += [RANGE] if "range" in scales else []
        helpers += [SCALE] if scales else []
        return [*(tree.Prose(text.strip("\n")) for text in helpers), self._load(), self._prepare()]

    def modules(self) -> set[str]:
        """Return the standard modules that they use."""
        source = self.data.source
        return {"pathlib", *source.entry.modules} if source else set()

    def _has_texts(self) -> bool:
        source = self.data.source
        kinds = shared.raw_kinds(self.model)
        return bool(source and source.entry.table and any(kinds[n].startswith("class") for n in source.fields))

    # ------------------------------------------------------------------------------------------------------- load

    def _load(self) -> tree.Function:
        source, doc = self.data.source, "Return the examples of the spec, raw, by name."
        if source is not None:
            body = self._read(source)
        elif self.data.inline:
            rows = {name: [show(row) for row in rows] for name, rows in self.data.inline.items()}
            body = iter([tree.Return(table({name: f"np.array([{', '.join(some)}])" for name, some in rows.items()}))])
        else:
            doc = "Return the examples in an .npz file, by name; the spec has none of its own."
            body = self._given()
        return tree.Function("load_data", ("path=None",), doc, "", tuple(body))

    def _given(self) -> Iterator[tree.Stmt]:
        """Yield what reads a file that must be named."""
        names = literal((*self.model.inputs, *self.model.targets))
        yield tree.If("path is None", (tree.Do(f'raise ValueError("{NO_DATA}")'),))
        yield tree.assign("arrays", "np.load(path)")
        yield tree.Return(f"{{name: arrays[name] for name in {names}}}")

    def _read(self, source: FileSource) -> Iterator[tree.Stmt]:
        """Yield what reads the spec's own file."""
        own = f"path or pathlib.Path(__file__).parent / {literal(source.path)}"
        if source.entry.table:
            yield tree.assign("path", own)
            yield tree.Return(table({name: self._column(source, name) for name in source.fields}))
            return
        if source.entry.plain == "np.load(path)":
            yield tree.assign("arrays", f"np.load({own})")
        else:
            yield tree.assign("path", own)
            yield tree.assign("arrays", source.entry.plain)
        keys = {name: columns[0] for name, columns in source.fields.items()}
        if all(name == key for name, key in keys.items()):
            yield tree.Return(f"{{name: arrays[name] for name in {literal(tuple(keys))}}}")
        else:
            yield tree.Return(table({name: f"arrays[{literal(key)}]" for name, key in keys.items()}))

    def _column(self, source: FileSource, name: str) -> str:
        """Return the expression of what a table holds of a value."""
        kind = shared.raw_kinds(self.model)[name]
        columns = f'INPUT_COLUMNS["{name}"]' if name in self.model.inputs else literal(list(source.fields[name]))
        cells = f"{source.entry.function}(path, {columns})"
        if kind.startswith("class"):
            return f"class_numbers({cells}[:, 0])"
        return f"{cells}.astype({'int' if kind.startswith('int') else 'float'})"

    # ---------------------------------------------------------------------------------------------------- prepare

    def _prepare(self) -> tree.Function:
        split, scales = self.data.split, self.data.scales
        what = " and ".join(word for word, there in (("split", split), ("scale", scales)) if there).capitalize()
        fitted = "how they are scaled" if scales else "an empty dict: nothing is scaled"
        doc = f"{what + ': return' if what else 'Return'} the parts, and {fitted}."
        return tree.Function("prepare", ("data", "dtype=np.float32"), doc, "", tuple(self._prepared()))

    def _prepared(self) -> Iterator[tree.Stmt]:
        split, scales = self.data.split, self.data.scales
        yield tree.assign("arrays", table(self._arrays()))
        yield from self._split(split) if split else ()
        yield from self._scaled('[rows["train"]]' if split else "") if scales else ()
        whole, parted = '{"train": arrays}', "{part: {n: v[r] for n, v in arrays.items()} for part, r in rows.items()}"
        yield tree.Return(f"{parted if split else whole}, {'scaling' if scales else '{}'}")

    def _scaled(self, where: str) -> Iterator[tree.Stmt]:
        """Yield what fits and applies scalings; `where` chooses the rows that they are fitted on."""
        named = {name: scale for scale in self.data.scales for name in scale.names}
        fitted = {name: _fitted(self.model, scale, name, where) for name, scale in named.items()}
        yield tree.assign("scaling", table(fitted))
        for name in named:
            yield tree.assign(f'arrays["{name}"]', f'scale(arrays["{name}"], scaling["{name}"]).astype(dtype)')

    def _arrays(self) -> dict[str, str]:
        """Return the expressions of the arrays, in the declared shapes."""
        inputs, targets = shared.declarations(self.model)
        scaled = {n for scale in self.data.scales for n in scale.names}
        entries = {}
        for name, (kind, shape) in {**inputs, **targets}.items():
            whole = kind.startswith(("int", "class"))
            text = f'np.asarray(data["{name}"], {"int" if whole else "float" if name in scaled else "dtype"})'
            if name in self.data.one_hot:
                text = f'np.eye({shape[-1]}, dtype=dtype)[np.asarray(data["{name}"], int)]'
            entries[name] = f"{text}.reshape({', '.join(map(str, (-1, *shape)))})"
        return entries

    def _split(self, split: Split) -> Iterator[tree.Stmt]:
        """Yield what draws the rows of each part."""
        shares = {part: share for part, share in split.fractions.items() if share}
        names, numbers = literal(tuple(shares)), list(shares.values())
        if split.stratify:
            yield from _stratified(split, names, numbers)
            return
        yield tree.assign("count", f'len(arrays["{next(iter(self.model.inputs))}"])')
        yield tree.assign("exact", f"count * np.array({numbers})")
        yield tree.assign("sizes", "np.floor(exact + 1e-9).astype(int)")
        yield tree.assign('sizes[np.argsort(sizes - exact, kind="stable")[: count - sizes.sum()]]', "1", "+=")
        drawn = f"np.random.default_rng({split.seed}).permutation(count)"
        yield tree.assign("parts", f"np.split({drawn}, np.cumsum(sizes)[:-1])")
        yield tree.assign("rows", f"dict(zip({names}, map(np.sort, parts), strict=True))")


def _stratified(split: Split, names: str, shares: Sequence[float]) -> Iterator[tree.Stmt]:
    """Yield what draws the rows of each part where every class has its share in all of them."""
    yield tree.Note("each part has the proportions of the classes, to within one example")
    yield tree.assign("labels", f'arrays["{split.stratify}"]')
    yield tree.assign("order", f"np.random.default_rng({split.seed}).permutation(len(labels))")
    yield tree.assign("order", 'order[np.argsort(labels[order], kind="stable")]', comment="class by class")
    yield tree.assign("exact", f"np.outer([len(labels), *np.bincount(labels)], {shares})", comment="all, then classes")
    yield tree.Assign(("counts", "excess"), "np.floor(exact + 1e-9).astype(int), 0 * exact[0]")
    neediest = "np.lexsort((row - wanted, excess))[: round(wanted.sum()) - row.sum()]"
    more = tree.assign(f"row[{neediest}]", "1", "+=")
    excess = tree.assign("excess", "counts[1:].sum(axis=0) - counts[0]")
    yield tree.For(
        "for row, wanted in zip(counts, exact, strict=True)", (more, excess), "what is left goes to the neediest parts"
    )
    yield tree.assign("assigned", f"np.concatenate([np.repeat({names}, row) for row in counts[1:]])")
    yield tree.assign("rows", f"{{name: np.sort(order[assigned == name]) for name in {names}}}")


def _fitted(model: Model, scale: Scale, name: str, where: str) -> str:
    """Return the expression of what scales a value; `where` chooses the rows that it is fitted on."""
    values = f'arrays["{name}"]{where}'
    if scale.method == "divide":
        shape = shared.scaled_shapes(model)[name]
        size = str(shape[0]) if len(shape) == 1 else literal(tuple(shape))
        return table({"shift": f"np.zeros({size})", "scale": f"np.full({size}, 1 / {show(scale.attrs['by'])})"})
    if scale.method == "range":
        low, high = (show(v) for v in scale.attrs.values())
        return f"to_range({values}, {low}, {high})"
    return f"standard({values})"
