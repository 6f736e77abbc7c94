"""What a source of examples is: how a spec names what it holds, and which function reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dotnn.core.arguments import Arg, Attrs

Shape = tuple[int, ...]


@dataclass(frozen=True)
class DataSource:
    """A format of data files: `source = NAME("file", x = …)`.

    `reader` is a function of `dotnn_runtime.script`, as "module.function": dotnn calls it, and scripts carry its text.
    `file` is what such a file is called in a sentence, `ending` how its name ends. `form` is the call as it is shown
    in messages and in the manual.

    Of a `table`, an input or target names one column for each of its numbers; the reader takes
    `(path, {name: [column, …]}, {name: kind}, labels)`, where `labels` are the texts of classes that another file has
    told, and returns `(arrays, labels)`. Of another source it names one array; the reader takes `(path, {name: key})`
    and returns the arrays. Either takes the `args` that the
    spec gives, by their names; `conflict` says what is wrong with them together, "" for nothing. A source that `wraps`
    takes a "table" in place of a file, and its reader the arrays of that, "files" that hold one array each, or "rows"
    that the spec holds; `single` is the format of such a file, whose reader takes `(path)` and returns the array.
    Errors of a reader about a column or a key begin with "there is no column NAME"
    or "there is no array NAME", so that they can be shown at that place of the spec.

    Where the arrays have fixed names, these are `keys`, and `misfit` says what is wrong with an input or target that is
    to hold one, given its key, kind, shape and the arguments; `settled` are the arguments that the reader takes, and
    `spans` the windows of each key, given the shapes. A `numbered` table holds texts that are numbers to a network.
    What is `converted` needs more than NumPy to be read: dotnn does, and a script reads an .npz file of the same name.
    `converted` is the command that makes it, given the path, the shape of the first key, and for a part the file of the
    training part.

    Where it is `located`, `csv_file.CsvTable` finds the cell of a number that is wrong, and the error shows it.
    A script that is to be read has `plain` instead, which takes the file to be as it should, and imports `modules`. Of
    a table it is the text of a function of the reader's name, from `(path, [column, …])` to an array of texts, a row
    for each example, for the arguments that are given and the name of the file; `numbers` is then the expression of
    numbers in place of `{cells}`. Of another source it is the expression that gives the arrays by their keys, from
    `path`; of a single array one of `{path}`, which may call the function whose text is `helper`, or of its `{rows}`.
    """

    name: str
    doc: str
    reader: str
    file: str
    ending: str
    form: str
    plain: str | Callable[[Attrs, str], str]
    modules: tuple[str, ...] = ()
    table: bool = False
    located: bool = False
    args: tuple[Arg, ...] = ()
    wraps: str = ""
    single: bool = False
    keys: tuple[str, ...] = ()
    misfit: Callable[[str, str, Shape, Attrs], str] = lambda key, kind, shape, attrs: ""
    settled: Callable[[Attrs, Mapping[str, Shape]], Attrs] = lambda attrs, shapes: attrs
    spans: Callable[[Mapping[str, Shape]], Mapping[str, tuple[int, int]]] = lambda shapes: {}
    numbered: bool = False
    converted: Callable[[str, Shape, str], str] | None = None
    helper: str = ""
    conflict: Callable[[Attrs], str] = lambda attrs: ""
    numbers: Callable[[Attrs], str] = lambda attrs: "{cells}"

    @property
    def function(self) -> str:
        """The name of the reader in a script."""
        return self.reader.rpartition(".")[2]

    def plain_for(self, attrs: Attrs, file: str) -> str:
        """Return the plain text that reads a file of this name, written as the arguments say."""
        return self.plain if isinstance(self.plain, str) else self.plain(attrs, file)

    def reads(self, file: str) -> bool:
        """Whether a file's name is that of such a file."""
        return bool(self.ending) and file.lower().endswith(self.ending)

    @property
    def noun(self) -> str:
        """What an input or target names."""
        return "column" if self.table else "array"

    def holds(self, shape: Sequence[int]) -> bool:
        """Whether examples of this shape can be in such a file."""
        return not self.table or len(shape) <= 1

    def width(self, shape: Sequence[int]) -> int:
        """Return how many columns, or keys, make up an example of a shape that it holds."""
        return shape[0] if self.table and shape else 1
