"""The data of a script: a few plain lines that read, split and scale exactly what this spec names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from dotnn.codegen import augmenting, tree
from dotnn.codegen.lines import literal, table
from dotnn.codegen.preparing import Chain, Step, applied, chains, fitted, in_type, is_affine
from dotnn.core.arguments import show
from dotnn.library.sources.inline import INLINE
from dotnn.library.sources.windows import SPLIT, plain
from dotnn.model.model import Data, FileSource, Model
from dotnn.model.raw import raw_declarations
from dotnn.running.data_warnings import counted_from_one
from dotnn.running.told_by_data import classes_from_one, told_by_data
from dotnn.targets.numpy.explain.parting import PartsWriter
from dotnn.targets.numpy.explain.reading import (
    AS_KEYS,
    CLASSES,
    FROM_ZERO,
    GAPS,
    READ_ALL,
    TWO,
    WITH_GAPS,
    array_files,
    column,
    number_type,
    raw_array,
    shaped,
)
from dotnn.targets.numpy.explain.rows import prepared, rows_class
from dotnn.targets.numpy.explain.spec_text import SpecText

NO_DATA = "the spec has no data: pass them to train, or name a file with --data"


class DataWriter:
    """Writes what a script does with data."""

    def __init__(
        self, model: Model, spec: SpecText, labels: dict[str, list[str]] | None, *, by_rows: bool = False
    ) -> None:
        self.model, self.spec, self.labels, self.by_rows = model, spec, labels, by_rows
        self.data = model.data or Data()
        self.chains = chains(model)
        self.raw = raw_declarations(model)
        self.texts = told_by_data(model, labels)
        self.parts = PartsWriter(model)

    def items(self) -> list[tree.Item]:
        """Return the functions."""
        load, prepare = self._load(), self._prepare()
        helpers = [*self._readers(), *([FROM_ZERO] if self._from_one() else []), *self._preparing()]
        helpers += [rows_class(self.model)] if self.by_rows else []
        return [*(tree.Prose(text.strip("\n")) for text in helpers), load, prepare, *self._augment()]

    def _augment(self) -> Iterator[tree.Function]:
        """Yield the function that changes the training examples at random."""
        if statements := augmenting.body(self.model):
            place = self.spec.place_of_key("augment")
            yield tree.Function("augment", ("examples", "rng"), augmenting.DOC, place, statements)

    def _readers(self) -> Iterator[str]:
        """Yield the functions that read a table, and make its texts what they stand for."""
        source = self.data.source
        if source is None or not source.entry.table:
            yield from dict.fromkeys(self._helpers(source)) if source else ()
            return
        yield source.entry.plain_for(source.options, source.path)
        if self.data.files and not source.windows:
            yield READ_ALL.format(read=source.entry.function)
        kinds = [self.raw.get(name, ("key", ()))[0] for name in source.fields]
        yield from self._of_kinds(source, kinds)
        if source.windows:
            texts = not {"text", "date"}.isdisjoint(kinds)
            yield plain(ordered=self.data.sorted, grouped=self.data.in_groups, texts=texts)
            yield from [SPLIT] if self.parts.by_steps else []

    def _of_kinds(self, source: FileSource, kinds: Sequence[str]) -> Iterator[str]:
        """Yield the functions that make the texts of a table what its columns hold."""
        named = any(self.raw.get(name, ("",))[0] in TWO for name in self.texts)
        if (named or any(kind.startswith("class") for kind in kinds)) and not source.entry.numbered:
            yield CLASSES
        if any(kind.endswith("?") for kind in kinds):
            numbers = source.numbers('np.where(gaps, "nan", texts)')
            gaps = literal(list(source.options.get("missing") or GAPS))
            yield WITH_GAPS.replace("{gaps}", gaps).replace("{numbers}", numbers)
        if "key" in kinds:
            yield AS_KEYS

    def _helpers(self, source: FileSource) -> Iterator[str]:
        """Yield the functions that read files of one array."""
        for file in (source, *self.data.files.values()):
            yield from (file.reader(name).helper for name in file.formats if file.reader(name).helper)

    def _preparing(self) -> Iterator[str]:
        """Yield the functions that fit and apply preparations; those that undo them are beside the predictions."""
        steps = [step for chain in self.chains.values() for step in chain.steps]
        called = [text for step in steps for text in (step.fit("x"), step.apply("x", bare=True))]
        yield from plain_functions(steps, called)

    def modules(self) -> set[str]:
        """Return the standard modules that they use."""
        source = self.data.source
        if source is None:
            return set()
        files = (source, *self.data.files.values())
        singles = {module for file in files for name in file.formats for module in file.reader(name).modules}
        packed = {"gzip"} if source.entry.table and source.path.endswith(".gz") else set()
        return {*source.entry.modules, *packed, *singles}

    # ------------------------------------------------------------------------------------------------------- load

    def _load(self) -> tree.Function:
        source, doc = self.data.source, "Return the examples of the spec, raw, by name."
        if source is not None:
            body = self._read(source)
        elif self.data.inline:
            form, written = INLINE.plain_for({}, ""), self.data.inline.items()
            rows = {name: form.replace("{rows}", ", ".join(map(show, rows))) for name, rows in written}
            body = iter([tree.Return(table(rows))])
        else:
            doc = "Return the examples in an .npz file, by name; the spec has none of its own."
            body = self._given()
        return tree.Function("load_data", ("path=None",), doc, "", self._from_zero(tuple(body)))

    def _from_one(self) -> bool:
        """Whether the classes of a target are counted from 1 in the spec's own files."""
        of_table = (texts for name, texts in self.texts.items() if self.raw[name][0].startswith("class"))
        return bool(classes_from_one(self.model, self.labels)) or any(map(counted_from_one, of_table))

    def _from_zero(self, body: tuple[tree.Stmt, ...]) -> tuple[tree.Stmt, ...]:
        """Return the statements that read arrays, with those that count their classes from 0 where files do from 1."""
        names = classes_from_one(self.model, self.labels)
        if not names:
            return body
        *before, last = body
        assert isinstance(last, tree.Return)
        shifted = (tree.assign(f'examples["{n}"]', f'from_zero(examples["{n}"])') for n in names)
        return (*before, tree.assign("examples", last.value), *shifted, tree.Return("examples"))

    def _given(self) -> Iterator[tree.Stmt]:
        """Yield what reads a file that must be named."""
        names = literal(tuple(self.raw))
        yield tree.If("path is None", (tree.Do(f'raise ValueError("{NO_DATA}")'),))
        yield tree.assign("arrays", "np.load(path)")
        yield tree.Return(f"{{name: arrays[name] for name in {names}}}")

    def _read(self, source: FileSource) -> Iterator[tree.Stmt]:
        """Yield what reads the spec's own files."""
        if source.formats:
            yield from self._read_files(source)
            return
        if self.data.files:
            yield from self._read_parts(source)
            return
        if source.entry.converted:
            yield tree.Note(source.command(self.model))
        own = f"path or os.path.join(os.path.dirname(__file__), {literal(source.file)})"
        if source.entry.table:
            yield tree.assign("path", own)
            read = f"{source.entry.function}(path, {{}})"
            found = table({name: self._column(source, name, read) for name in source.fields})
            yield tree.Return(f"in_windows({found})" if source.windows else found)
            return
        if source.entry.plain == "np.load(path)":
            yield tree.assign("arrays", f"np.load({own})")
        else:
            yield tree.assign("path", own)
            yield tree.assign("arrays", source.entry.plain_for(source.options, source.path))
        keys = {name: columns[0] for name, columns in source.fields.items()}
        if all(name == key for name, key in keys.items()):
            yield tree.Return(f"{{name: arrays[name] for name in {literal(tuple(keys))}}}")
        else:
            yield tree.Return(table({name: f"arrays[{literal(key)}]" for name, key in keys.items()}))

    def _read_files(self, source: FileSource) -> Iterator[tree.Stmt]:
        """Yield what reads a file for each array."""
        yield tree.assign("folder", "pathlib.Path(path or pathlib.Path(__file__).parent)")
        parts = {part: table(array_files(file)) for part, file in {"train": source, **self.data.files}.items()}
        if not self.data.files:
            yield tree.Return(parts["train"])
            return
        for part, files in parts.items():
            yield tree.assign(part, files)
        yield tree.assign("parts", table({part: part for part in parts}))
        first, *_ = source.fields
        joined = '{name: np.concatenate([part[name] for part in parts.values()]) for name in parts["train"]}'
        counts = f'[len(part["{first}"]) for part in parts.values()]'
        yield tree.Return(f'{joined} | {{"part": np.repeat(list(parts), {counts})}}')

    def _read_parts(self, source: FileSource) -> Iterator[tree.Stmt]:
        """Yield what reads a file for each part: one below the other, with the part that each example is of."""
        files = {"train": source.file, **{part: file.file for part, file in self.data.files.items()}}
        if source.entry.converted:
            yield from (tree.Note(file.command(self.model)) for file in (source, *self.data.files.values()))
        yield tree.assign("folder", "pathlib.Path(path or pathlib.Path(__file__).parent)")
        if source.windows:
            yield from self._read_series(source, files)
            return
        paths = table({part: f"folder / {literal(file)}" for part, file in files.items()})
        first, *_ = source.fields
        if source.entry.table:
            yield tree.assign("files", paths)
            read = "read_all(files.values(), {})"
            found = {name: self._column(source, name, read) for name in source.fields}
            count = f"len({source.entry.function}(file, {literal(list(source.fields[first][:1]))}))"
            counts = f"[{count} for file in files.values()]"
        else:
            yield tree.assign("paths", paths)
            yield tree.assign("files", "{part: np.load(path) for part, path in paths.items()}")
            keys = {name: literal(columns[0]) for name, columns in source.fields.items()}
            found = {n: f"np.concatenate([file[{key}] for file in files.values()])" for n, key in keys.items()}
            counts = f"[len(file[{keys[first]}]) for file in files.values()]"
        yield tree.Return(table({**found, "part": f"np.repeat(list(files), {counts})"}))

    def _read_series(self, source: FileSource, files: dict[str, str]) -> Iterator[tree.Stmt]:
        """Yield what reads the windows of a file for each part."""
        yield tree.assign("files", table({part: f"folder / {literal(file)}" for part, file in files.items()}))
        like = ', like=files["train"]' if source.entry.numbered else ""
        read = f"{source.entry.function}(path, {{}}{like})"
        arrays = table({name: self._column(source, name, read) for name in source.fields})
        yield tree.assign("parts", f"{{part: in_windows({arrays}) for part, path in files.items()}}")
        first, *_ = source.fields
        joined = '{name: np.concatenate([part[name] for part in parts.values()]) for name in parts["train"]}'
        counts = f'[len(part["{first}"]) for part in parts.values()]'
        yield tree.Return(f'{joined} | {{"part": np.repeat(list(parts), {counts})}}')

    def _column(self, source: FileSource, name: str, read: str) -> str:
        """Return the expression of what a table holds of a value; `read` is how columns are read."""
        columns = f'INPUT_COLUMNS["{name}"]' if name in self.model.inputs else literal(list(source.fields[name]))
        return column(read.format(columns), *self.raw.get(name, ("key", ())), source, self.texts.get(name, ()))

    # ---------------------------------------------------------------------------------------------------- prepare

    def _prepare(self) -> tree.Function:
        known = fitted(self.model)
        affine = is_affine(self.model)
        words = {"split": self.parts.there, "scale" if affine else "prepare": known}
        what = " and ".join(word for word, there in words.items() if there).capitalize()
        told = "how they are scaled" if affine else "what was fitted on the training part"
        told = told if known else "an empty dict: nothing is fitted"
        doc = f"{what + ': return' if what else 'Return'} the parts, and {told}."
        return tree.Function("prepare", ("data", "dtype=np.float32"), doc, "", tuple(self._prepared()))

    def _prepared(self) -> Iterator[tree.Stmt]:
        known = fitted(self.model)
        if self.by_rows:
            yield from self._prepared_rows()
            return
        arrays = {name: self._array(name) for name in (*self.model.inputs, *self.model.targets)}
        arrays |= {n: f'np.asarray(data["{n}"])' for n in self.data.beside if n != "order" or not self.data.sorted}
        yield tree.assign("arrays", table(arrays))
        yield from self._dropped()
        yield from self.parts.chosen()
        yield from self._whole_windows()
        yield from self.parts.taken()
        yield from self._fitted('[rows["train"]]' if self.parts.there else "")
        whole, parted = '{"train": arrays}', "{part: {n: v[r] for n, v in arrays.items()} for part, r in rows.items()}"
        yield tree.Return(f"{parted if self.parts.there else whole}, {'scaling' if known else '{}'}")

    def _prepared_rows(self) -> Iterator[tree.Stmt]:
        """Yield what prepares rows of the arrays as they came."""
        names = (*self.model.inputs, *self.model.targets)
        yield tree.assign("arrays", table({name: self._as_it_came(name) for name in names}))
        yield from self.parts.drawn() if self.data.split else self.parts.all_in_one()
        yield from self.parts.taken()
        yield from [tree.assign("scaling", "{}")] if fitted(self.model) else []
        yield from prepared(self.model, {name: self._row(name) for name in names})

    def _as_it_came(self, name: str) -> str:
        """Return the expression of an array in its shape, in memory as it is given."""
        origin = self.data.made_of.get(name, name)
        kind, shape = self.raw[origin]
        return shaped(origin, number_type(kind, ""), shape)

    def _row(self, name: str) -> str:
        """Return the expression of prepared rows of an array, whose values are called `v`."""
        chain = self.chains.get(name)
        if chain is None:
            return "v" if number_type(self.raw[name][0]) == "int" else "v.astype(dtype)"
        text = chain.apply("v", bare=True)
        return text if chain.counts or "dtype" in text else in_type(text)

    def _array(self, name: str) -> str:
        """Return the expression of an array in the declared shape, after what needs no other examples."""
        chain = self.chains.get(name)
        if chain is None:
            kind, shape = self.raw[name]
            return shaped(name, number_type(kind, "dtype"), shape)
        steps = self._at_once(chain)
        text = applied(steps, raw_array(chain.origin, *self.raw[chain.origin]), bare=True)
        real = len(steps) == len(chain.steps) and not chain.counts and "dtype" not in text
        return in_type(text) if real else text

    def _at_once(self, chain: Chain) -> tuple[Step, ...]:
        """Return the first steps of an array that are of each example alone, and of no gap that is to be left out."""
        return () if chain.drops else tuple(takewhile(lambda step: step.entry.fit is None, chain.steps))

    def _dropped(self) -> Iterator[tree.Stmt]:
        """Yield what leaves out examples with a gap."""
        dropping = [chain.name for chain in self.chains.values() if chain.drops]
        if dropping:
            whole = [f'~np.isnan(arrays["{name}"]).any(axis={self._axes(name)})' for name in dropping]
            yield tree.assign("whole", " & ".join(whole), comment="the examples without a gap")
            if not self.parts.by_steps:
                yield tree.assign("arrays", "{name: values[whole] for name, values in arrays.items()}")

    def _axes(self, name: str) -> str:
        """Return the axes of an array but the first one."""
        rank = len(self.raw[name][1])
        return "1" if rank == 1 else str(tuple(range(1, 1 + rank)))

    def _whole_windows(self) -> Iterator[tree.Stmt]:
        """Yield what leaves out the windows with a gap, once the steps of the series are split."""
        if self.parts.by_steps and any(chain.drops for chain in self.chains.values()):
            yield tree.assign("rows", "{part: chosen[whole[chosen]] for part, chosen in rows.items()}")

    def _fitted(self, where: str) -> Iterator[tree.Stmt]:
        """Yield what is fitted, and applied to all examples; `where` chooses those that it is fitted on."""
        left = {name: chain.steps[len(self._at_once(chain)) :] for name, chain in self.chains.items()}
        acting = {name: [step for step in steps if step.does_something] for name, steps in left.items() if steps}
        first = {name: steps[0].fit(f'arrays["{name}"]{where}') for name, steps in acting.items() if steps}
        first = {name: fit for name, fit in first.items() if fit}
        if fitted(self.model):
            yield tree.assign("scaling", table(first))
        for name, steps in acting.items():
            yield from self._in_turn(self.chains[name], steps, where, begun=name in first)

    def _in_turn(self, chain: Chain, steps: Sequence[Step], where: str, *, begun: bool) -> Iterator[tree.Stmt]:
        """Yield the steps of an array, one after the other; `begun` if the first one is fitted already."""
        values, known = f'arrays["{chain.name}"]', begun
        for i, step in enumerate(steps):
            if step.entry.fit and (i or not begun):
                yield tree.assign(f'scaling["{chain.name}"]', step.fit(values + where), "|=" if known else "=")
                known = True
            text = step.apply(values, bare=True)
            yield tree.assign(values, in_type(text) if step is steps[-1] and not chain.counts else text)
        if not steps:  # examples are left out, and nothing else is done
            yield tree.assign(values, in_type(values))


def plain_functions(steps: Iterable[Step], expressions: Iterable[str]) -> Iterator[str]:
    """Yield the text of the functions of preparations that expressions call, each once."""
    functions = {name: text for step in steps for name, text in step.entry.plain.items()}
    called = "\n".join(expressions)
    yield from (text for name, text in functions.items() if f"{name}(" in called)
