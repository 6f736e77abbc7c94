"""Tables as text: one line an example, one column a number or a class."""

from dotnn.core.arguments import Arg, Attrs, Kind, Symbol, all_of, show
from dotnn.library.sources.base import DataSource

PLAIN = '''
def read_csv(path, columns):
    """Return the named columns as an array of texts, one row for each example."""
    {opening}, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True{form}))
    return np.array([[row[column] for column in columns] for row in rows])
'''
PACKED = """opened = gzip.open if str(path).endswith(".gz") else open
    with opened(path, "rt\""""
QUOTES = {"delimiter": "delimiter", "quoting": "quotechar"}
"""What Python's reader of tables calls some arguments."""


def _mark(value: object) -> str | None:
    """Return a text of one character that may stand between or around cells, None for anything else."""
    fits = isinstance(value, str) and len(value) == 1 and not value.isalnum() and value not in "\r\n\0.-+_"
    return str(value) if fits else None


def _quote(value: object) -> str | None:
    return "" if value == Symbol("none") else _mark(value)


def _texts(value: object) -> tuple[str, ...] | None:
    return all_of(Kind("", lambda item: item if isinstance(item, str) else None), value) or None


ARGS = (
    Arg("delimiter", Kind('one character such as ";" or "\\t"', _mark), ",", "what stands between cells"),
    Arg(
        "decimal",
        Kind('"." or ","', lambda value: value if value in (".", ",") else None, choices=(".", ",")),
        ".",
        "what stands before decimals; nothing marks thousands",
    ),
    Arg(
        "missing",
        Kind('a list of texts such as ["", "NA"]', _texts),
        None,
        "what a gap reads; default: an empty cell, `NA`, `NaN`, `null`, `None`, `?` and the like",
    ),
    Arg("quoting", Kind("one character, or none", _quote), '"', "what stands around cells that hold a delimiter"),
)


def _conflict(attrs: Attrs) -> str:
    """Return what is wrong with arguments together."""
    if attrs["decimal"] == attrs["delimiter"]:
        return "a comma cannot stand between cells and before decimals: say which delimiter there is"
    marks = {attrs["delimiter"], attrs["quoting"]}
    return "" if len(marks) == 2 else f"{show(attrs['delimiter'])} cannot stand between cells and around them"


def _plain(attrs: Attrs, file: str) -> str:
    """Return the function that reads a table which is written in this way."""
    opening = PACKED if file.endswith(".gz") else "with open(path"
    given = {QUOTES[name]: value for name, value in attrs.items() if name in QUOTES}
    form = "".join(
        f", {name}={_python(value)}" if value else ", quoting=csv.QUOTE_NONE" for name, value in given.items()
    )
    return PLAIN.replace("{opening}", opening).replace("{form}", form)


def _python(mark: str) -> str:
    """Return a text of one character as Python text."""
    return f'"{mark}"' if mark.isprintable() and mark not in '"\\' else repr(mark)


CSV = DataSource(
    "csv",
    "A table in UTF-8 with a header, plain or packed by gzip. Names that are no words are in quotes. A column of "
    "classes holds whole numbers from 0, or from 1 up to how many there are, or texts, which are numbered in sorted "
    "order and head the predictions (`p_setosa`); `nan` is neither. Of a single unit, `target t: [1]`, it may hold two "
    "texts: the first in sorted order is 0, or -1 where the loss wants signs, the other 1.",
    reader="csv_file.read_csv",
    file="a CSV file",
    ending=".csv",
    form='csv("file", x = [columns])',
    plain=_plain,
    modules=("csv",),
    table=True,
    located=True,
    args=ARGS,
    conflict=_conflict,
    numbers=lambda attrs: 'np.char.replace({cells}, ",", ".")' if "decimal" in attrs else "{cells}",
)
