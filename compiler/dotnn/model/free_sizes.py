"""Sizes that the spec leaves open, `input x: [n]`, `target y: class[k]`: the data say them, or `--set n=4`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dotnn.core.diagnostics import CompileError, Reporter, Source, one_edit_apart
from dotnn.library.sources import SOURCES
from dotnn.model import messages
from dotnn.model.constants import WORDS, Constants, Poison
from dotnn.model.files import FILE_HELP, OUTSIDE_HELP, folder_of, path_within
from dotnn.model.inline import written_out
from dotnn.model.messages.base import Fail
from dotnn.model.way import OPTION, Way
from dotnn.syntax import nodes

Measure = Callable[[str, Path, Sequence[str], bool], tuple[tuple[int, ...], int]]
"""(format, path, columns or key, whether of classes) -> the shape of an example in a file, and how many classes.

Raises ValueError with the reason where the file does not tell.
"""


@dataclass(frozen=True)
class Size:
    """A size that the data say, and where."""

    size: int
    where: str


def free_names(section: nodes.Section | None, defined: Sequence[str]) -> dict[str, nodes.Name]:
    """Return the names in the shapes of a model's inputs and targets that nothing defines, each at its first place."""
    found: dict[str, nodes.Name] = {}
    for decl in _declarations(section):
        for dim in decl.dims:
            if isinstance(dim, nodes.Name) and dim.id not in defined and dim.id not in WORDS:
                found.setdefault(dim.id, dim)
    return found


def bound_sizes(
    section: nodes.ModelSection,
    data: nodes.Section | None,
    constants: Constants,
    reporter: Reporter,
    measure: Measure | None,
    way: Way = OPTION,
) -> dict[str, Size | Poison]:
    """Return what the data say of the free names; report those that remain unknown. `way` is how they may be set."""
    free = free_names(section, list(constants))
    near = {name: _near(name, [*constants, *(n for n in free if n != name)]) for name in free}
    found: dict[str, Size | Poison] = {}
    reasons: dict[str, str] = {}
    reader = _Reader(data, reporter.source, measure)
    for decl in _declarations(section) if any(not near[name] for name in free) else ():
        try:
            for name, size in reader.sizes(decl):
                if name in free and not near[name]:
                    _agree(found, free[name], size, reporter, way)
        except ValueError as problem:
            reasons |= {dim.id: str(problem) for dim in decl.dims if isinstance(dim, nodes.Name)}
    for name, at in free.items():
        if name not in found:
            reporter.add(messages.names.free_size(at.span, name, near[name], reasons.get(name, ""), way))
            found[name] = Poison()
    return found


def sizes_in(file: nodes.File, source: Source, sets: Sequence[str], data: Path, measure: Measure) -> tuple[str, ...]:
    """Return what a data file says of free names that no text of `--set` binds, as such texts: `n=4`.

    Nothing is said of what the file does not tell: `bound_sizes` reports it. Raises `CompileError` where names are free
    and the file is not there.
    """
    sections = {s.keyword: written_out(s) for s in file.sections if isinstance(s, nodes.Section)}
    params, section = sections.get("params"), sections.get("model")
    named = [s.name.id for s in params.statements if isinstance(s, nodes.Assign)] if params else []
    free = free_names(section, [*named, *(text.partition("=")[0].strip() for text in sets)])
    if free and not data.exists():
        raise CompileError([messages.data.no_file_given(str(data), str(data))], source)
    reader = _Reader(sections.get("data"), source, measure, data)
    found: dict[str, int] = {}
    for decl in _declarations(section) if free else ():
        with suppress(ValueError):
            found |= {name: size.size for name, size in reader.sizes(decl) if name in free}
    return tuple(f"{name}={size}" for name, size in found.items())


def _agree(found: dict[str, Size | Poison], at: nodes.Name, size: Size, reporter: Reporter, way: Way) -> None:
    """Keep a size; report it where other data say another."""
    known = found.setdefault(at.id, size)
    if isinstance(known, Size) and known.size != size.size:
        first, second = (f"{each.size} in {each.where}" for each in (known, size))
        reporter.add(messages.names.two_sizes(at.span, at.id, first, second, way))
        found[at.id] = Poison()


def _declarations(section: nodes.Section | None) -> list[nodes.TensorDecl]:
    return [s for s in section.statements if isinstance(s, nodes.TensorDecl)] if section else []


def _near(name: str, known: Sequence[str]) -> str:
    """Return a known name of which this one looks like a slip; names of a letter or two are all alike."""
    return next((other for other in known if len(name) > 2 and one_edit_apart(name, other)), "")


class _Reader:
    """Reads off the `data` section what the shape of an example is; `file`, or the folder, stands for its file."""

    def __init__(
        self, data: nodes.Section | None, source: Source, measure: Measure | None, file: Path | None = None
    ) -> None:
        self.file = file
        self.given = {s.name.id: s.value for s in data.statements if isinstance(s, nodes.Assign)} if data else {}
        self.folder, self.measure = folder_of(source), measure
        self.call = self.given.get("source")

    def sizes(self, decl: nodes.TensorDecl) -> Iterator[tuple[str, Size]]:
        """Yield the names in a declaration with their sizes. Raises ValueError where the data do not tell."""
        if not any(isinstance(dim, nodes.Name) for dim in decl.dims):
            return
        last_counts_classes = (decl.kind is not None and decl.kind.id == "class") or self._is_one_hot(decl.name.id)
        shape, where = self._shape(decl.name.id, last_counts_classes)
        if len(shape) != len(decl.dims):
            raise ValueError(f"{where} has {len(shape)} axes, {decl.name.id} is declared with {len(decl.dims)}")
        for dim, size in zip(decl.dims, shape, strict=True):
            if isinstance(dim, nodes.Name):
                yield dim.id, Size(size, where)

    def _is_one_hot(self, name: str) -> bool:
        given = self.given.get("one_hot")
        names = given.items if isinstance(given, nodes.List) else (given,)
        return any(isinstance(each, nodes.Name) and each.id == name for each in names)

    def _shape(self, name: str, classes: bool) -> tuple[tuple[int, ...], str]:
        """Return the shape of an example, and where it is found; its last size is the number of `classes`."""
        inline = self.given.get(name)
        if isinstance(inline, nodes.List):
            shape = _nested(inline)[1:]
            return (*shape, 1 + _largest(inline)) if classes else shape, f"the rows of {name}"
        if self.call is None and self.file is not None and self.measure is not None:  # arrays by their own names
            shape, count = self.measure("npz", self.file, [name], classes)
            return (*shape, count) if classes else shape, f"{name} in {self.file.name}"
        if not isinstance(self.call, nodes.Call) or self.call.func.id not in SOURCES:
            raise ValueError("")
        words = self._words(name)
        table = SOURCES[self.call.func.id].table
        if table and not classes:
            return (len(words),), f"the columns of {name}"
        shape, count = self._measured(words, classes)
        shape = () if table and len(words) == 1 else shape
        return (*shape, count) if classes else shape, f"{name} in {self._path().value}"

    def _path(self) -> nodes.String:
        assert isinstance(self.call, nodes.Call)
        first = self.call.args[0].value if self.call.args else None
        if not isinstance(first, nodes.String):
            raise ValueError("the source names no file")
        return first

    def _words(self, name: str) -> list[str]:
        """Return the columns, or the key, that the source names for an input or target."""
        assert isinstance(self.call, nodes.Call)
        given = next((arg.value for arg in self.call.args if arg.name and arg.name.id == name), None)
        each = given.items if isinstance(given, nodes.List) else (given,)
        words = [_word(expr) for expr in each]
        if not all(words):
            raise ValueError(f"the source does not name the {SOURCES[self.call.func.id].noun}s of {name} one by one")
        return words

    def _measured(self, words: Sequence[str], classes: bool) -> tuple[tuple[int, ...], int]:
        assert isinstance(self.call, nodes.Call)
        name = self._path()
        try:
            path = self.file or path_within(self.folder, self.folder, name.value, name.span, FILE_HELP, OUTSIDE_HELP)
            path = path / name.value if path.is_dir() else path
        except Fail as failure:
            raise ValueError(failure.diagnostic.message) from None
        if self.measure is None or not path.is_file():
            raise ValueError(f"there is no file {name.value} beside the spec")
        return self.measure(self.call.func.id, path, words, classes)


def _word(expr: nodes.Expr | None) -> str:
    """Return the column or key that an expression names, "" where it is something else."""
    match expr:
        case nodes.Name(id=word) | nodes.String(value=word):
            return word
    return ""


def _nested(expr: nodes.Expr) -> tuple[int, ...]:
    """Return the lengths of nested lists, by their first elements."""
    if not isinstance(expr, nodes.List):
        return ()
    return (len(expr.items), *(_nested(expr.items[0]) if expr.items else ()))


def _largest(expr: nodes.Expr) -> int:
    """Return the largest number in nested lists. Raises ValueError where there is something else."""
    if isinstance(expr, nodes.List) and expr.items:
        return max(map(_largest, expr.items))
    if isinstance(expr, nodes.Number):
        return int(expr.value)
    raise ValueError("its classes are not whole numbers")
