"""What a spec uses: files of definitions in its folder, and the standard library. Their sections become its own.

Spans go on from one text to the next, as `Source.used` has them, so that all that follows knows one tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from dotnn.core.diagnostics import CompileError, Source
from dotnn.core.limits import MAX_SOURCE_BYTES, MAX_USED_FILES
from dotnn.model import messages, packages
from dotnn.model.files import OUTSIDE_HELP, folder_of, path_within
from dotnn.model.messages.base import Fail
from dotnn.model.packages import Package
from dotnn.model.scope import names_read
from dotnn.syntax import nodes
from dotnn.syntax.decode import decode
from dotnn.syntax.parse import parse
from dotnn.syntax.scan import scan
from dotnn.syntax.walk import moved, section_expressions

STANDARD = Path(__file__).parent.parent / "library" / "std"
PREFIX = "std."


def linked(file: nodes.File, source: Source) -> tuple[nodes.File, Source, tuple[Package, ...]]:
    """Return a spec with the definitions that it uses, and the packages. Raises `CompileError`."""
    if not any(isinstance(section, nodes.Use) for section in file.sections):
        return file, source, ()
    linker = _Linker(file, source)
    return *linker.whole(), tuple(linker.packages.values())


class _Linker:
    """Reads what is used, each file once."""

    def __init__(self, file: nodes.File, source: Source) -> None:
        self.file, self.source = file, source
        self.folder = folder_of(source)
        self.used: list[Source] = []
        self.sections: list[nodes.Section] = []
        self.libraries: dict[str, int] = {}
        self.packages: dict[str, Package] = {}
        self.known: set[object] = set()

    def whole(self) -> tuple[nodes.File, Source]:
        """Return the tree with all sections, and the source of all texts."""
        self.follow(self.file, self.source, (Path(self.source.path).resolve(),))
        own = (*self.file.sections, *self.sections)
        whole = Source(self.source.path, self.source.text, self.source.first_line, tuple(self.used))
        return nodes.File(self.file.span, (*own, *self.reached(own))), whole

    def reached(self, sections: Sequence[nodes.Section]) -> list[nodes.Section]:
        """Return what sections use of the libraries, and what that uses: the rest takes no time."""
        read = {name for section in sections for name in _read(section)}
        found: list[nodes.Section] = []
        for library, by in self.libraries.items():
            offered = dict(_offered(library))
            while wanted := offered.keys() & read:
                for name in sorted(wanted):
                    section, more = offered.pop(name)
                    found.append(moved(section, by))
                    read |= more
        return sorted(found, key=lambda section: section.span.start)

    def follow(self, file: nodes.File, source: Source, chain: tuple[Path, ...]) -> None:
        """Read what a file uses; `chain` are the files that led to it, itself the last. Raises `CompileError`."""
        for use in file.sections:
            if isinstance(use, nodes.Use):
                try:
                    self.read(use, source, chain)
                except Fail as failure:
                    raise CompileError([failure.diagnostic], source) from None

    def read(self, use: nodes.Use, source: Source, chain: tuple[Path, ...]) -> None:
        """Read a file or a library. Raises `Fail`."""
        if isinstance(use.what, nodes.Name):
            (self.read_library if "." in use.what.id else self.read_package)(use.what)
            return
        name, span = use.what.value, use.what.span
        path = path_within(self.folder, chain[-1].parent, name, span, messages.uses.HELP, OUTSIDE_HELP)
        if path in chain:
            files = [p.name for p in (*chain[chain.index(path) :], path)]
            raise Fail(messages.uses.circle(span, files))
        if path in self.known:
            return
        if not name.endswith(".nn"):
            raise Fail(messages.uses.wrong_ending(span, name))
        self.known.add(path)
        found = self.text_of(path, use.what, source)
        file = parse(found)
        for section in file.sections:
            if not isinstance(section, nodes.BlockSection | nodes.Definition | nodes.Use):
                raise CompileError([messages.uses.other_section(section.span, section.keyword, found.file)], found)
        by = self.add(found, use)
        self.sections += [moved(section, by) for section in file.sections if not isinstance(section, nodes.Use)]
        self.follow(file, found, (*chain, path))

    def text_of(self, path: Path, name: nodes.String, source: Source) -> Source:
        """Return the text of a file. Raises `Fail` where it cannot be read, and `CompileError` where it is no text."""
        try:
            if not path.is_file():
                raise Fail(messages.uses.unreadable(name.span, name.value, "there is no such file"))
            with open(path, "rb") as opened:
                content = opened.read(MAX_SOURCE_BYTES + 1)
        except OSError as error:
            raise Fail(messages.uses.unreadable(name.span, name.value, error.strerror or str(error))) from None
        found = decode((Path(source.path).parent / name.value).as_posix(), content)
        if all(piece.kind == "comment" for piece in scan(found.text)):
            raise Fail(messages.uses.unreadable(name.span, name.value, "it holds no definitions"))
        return found

    def read_library(self, name: nodes.Name) -> None:
        """Read a part of the standard library. Raises `Fail`."""
        if name.id not in libraries():
            raise Fail(messages.uses.no_library(name.span, name.id, libraries()))
        if name.id not in self.known:
            self.known.add(name.id)
            self.libraries[name.id] = self.add(library(name.id)[1], name)

    def read_package(self, name: nodes.Name) -> None:
        """Let the members of a package join. Raises `Fail` for one that is not there, or does not work."""
        if name.id not in (known := packages.installed()):
            raise Fail(messages.uses.no_package(name.span, name.id, [*libraries(), *known]))
        try:
            self.packages[name.id] = packages.joined(name.id)
        except packages.NoPackage as problem:
            raise Fail(messages.uses.bad_package(name.span, name.id, str(problem))) from None

    def add(self, source: Source, use: nodes.Node) -> int:
        """Add a text, and return by how many characters its spans move. Raises `Fail` where there are too many."""
        if len(self.used) == MAX_USED_FILES:
            raise Fail(messages.uses.too_many(use.span, MAX_USED_FILES))
        by = sum(len(part.text) + 1 for part in (self.source, *self.used))
        self.used.append(source)
        return by


@cache
def libraries() -> tuple[str, ...]:
    """Return the names of the parts of the standard library."""
    return tuple(f"{PREFIX}{path.stem}" for path in sorted(STANDARD.glob("*.nn")))


@cache
def library(name: str) -> tuple[nodes.File, Source]:
    """Return a part of the standard library, read once."""
    path = STANDARD / f"{name.removeprefix(PREFIX)}.nn"
    source = decode(name, path.read_bytes())
    return parse(source), source


@cache
def _offered(name: str) -> dict[str, tuple[nodes.Section, frozenset[str]]]:
    """Return what a part of the standard library defines, by name, each with the names that it reads."""
    sections = [s for s in library(name)[0].sections if isinstance(s, nodes.BlockSection | nodes.Definition)]
    return {section.name.id: (section, frozenset(_read(section))) for section in sections}


def _read(section: nodes.Section) -> set[str]:
    return {name for expr in section_expressions(section) for name in names_read(expr)}
