"""What is read of files, as expressions: columns of a table, files of one array, arrays that are given."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.codegen.lines import literal
from dotnn.model.model import FileSource
from dotnn.running.data_warnings import counted_from_one

CLASSES = '''
def class_numbers(texts):
    """Return whole numbers as they are, other texts by their place in sorted order."""
    return texts.astype(int) if np.char.isdigit(texts).all() else np.unique(texts, return_inverse=True)[1]
'''
FROM_ZERO = '''
def from_zero(classes):
    """Return classes, which are counted from 1 in their file, counted from 0."""
    if (numbers := classes.astype(int)).min() < 1:
        raise SystemExit(f"error: there is a class {numbers.min()}, but in this file they are to be counted from 1")
    return numbers - 1
'''
WITH_GAPS = '''
def with_gaps(texts):
    """Return numbers, with NaN where a cell is empty or says that there is none."""
    gaps = np.isin(texts, {gaps})
    return {numbers}.astype(float)
'''
GAPS = ["", "?", "NA", "N/A", "nan", "NaN", "null", "NULL", "None"]
"""What a gap reads where nothing else is said."""
READ_ALL = '''
def read_all(paths, columns):
    """Return the named columns of several tables, one below the other."""
    return np.concatenate([{read}(path, columns) for path in paths])
'''
AS_KEYS = '''
def as_keys(texts):
    """Return numbers where all texts are numbers, else the texts."""
    try:
        return texts.astype(float)
    except ValueError:
        return texts
'''


def array_files(source: FileSource) -> dict[str, str]:
    """Return, by array, the expression that reads its file in `folder`."""
    files = {name: f"folder / {literal(file)}" for name, (file,) in source.fields.items()}
    return {name: str(source.reader(name).plain).replace("{path}", path) for name, path in files.items()}


TWO = {"unit": "{}", "binary": "{}", "sign": "2 * {} - 1"}
"""What the numbers of two texts become, for a target of such a kind."""


def column(cells: str, kind: str, shape: Sequence[int], source: FileSource, texts: Sequence[str] = ()) -> str:
    """Return the expression of a value of a kind and shape, made of the cells of a table.

    `texts` are those of its classes, where the table has some.
    """
    if source.entry.numbered:
        return f"{cells}[:, 0]"
    if kind in TWO and texts:
        return TWO[kind].format(f"class_numbers({cells})")
    if kind.startswith("class"):
        numbers = f"class_numbers({cells}{'' if shape else '[:, 0]'})"
        return f"from_zero({numbers})" if counted_from_one(texts) else numbers
    if kind in ("text", "date", "key"):
        return f"{cells}[:, 0]" if kind != "key" else f"as_keys({cells}[:, 0])"
    if kind.endswith("?"):
        return f"with_gaps({cells})"
    return f"{source.numbers(cells)}.astype({number_type(kind)})"


def raw_array(name: str, kind: str, shape: Sequence[int], where: str = "data") -> str:
    """Return the expression of an array as it is given, before any preparation."""
    if kind in ("text", "date"):
        return f'np.asarray({where}["{name}"], str)'
    return shaped(name, number_type(kind), shape, where)


def number_type(kind: str, real: str = "float") -> str:
    """Return the type of the numbers of a kind: "int" for integers and classes, else `real`."""
    return "int" if kind.startswith(("int", "class")) else real


def shaped(name: str, dtype: str, shape: Sequence[int], where: str = "data") -> str:
    """Return the expression of an array that is given, in a type and in the shape of its examples."""
    typed = f", {dtype}" if dtype else ""
    return f'np.asarray({where}["{name}"]{typed}).reshape({", ".join(map(str, (-1, *shape)))})'
