"""A text as a series of its characters or words, of which the next is to be told from those before it."""

from dotnn.core.arguments import POSITIVE_INT, Arg, Attrs, choice
from dotnn.library.sources.base import DataSource, Shape

PLAIN = '''
def units(path):
    """Return the {units} of a text."""
    text = pathlib.Path(path).read_text(encoding="utf-8-sig")
    return {split}


def read_text(path, columns, like=None):
    """Return a text as numbers, a row for each unit: places among the units of `like`, or among its own."""
    found, known = np.array(units(path)), np.unique(units(like or path))
    assert np.isin(found, known).all(), f"{path} has units that the text which was trained on has not"
    return np.repeat(np.searchsorted(known, found)[:, None], len(columns), axis=1)
'''
WRITTEN = {
    "char": {"units": "characters", "split": "list(text)"},
    "word": {"units": "words and marks", "split": 're.findall(r"\\w+|[^\\w\\s]", text)'},
}


def _plain(attrs: Attrs, file: str) -> str:
    text = PLAIN
    for word, meaning in WRITTEN[attrs.get("by", "char")].items():
        text = text.replace(f"{{{word}}}", meaning)
    return text


def _misfit(key: str, kind: str, shape: Shape, attrs: Attrs) -> str:
    if key == "next":
        return "" if (kind, shape) == ("class", ()) else "what comes next is a class: target y: class[n]"
    if kind != "int" or len(shape) != 1:
        return "what came before are whole numbers: input x: int[40]"
    given = attrs["length"]
    return "" if given in (None, shape[0]) else f"{shape[0]} units are declared, and {given} given"


TEXT = DataSource(
    "text",
    "A text in UTF-8 as a series of characters, or `by = word` of words and marks: each is its place among all that "
    "occur, in sorted order, which the run keeps. `past` are as many as are declared, `next` is the one behind them; "
    "the only input and the only target need not be named.",
    reader="text_units.read_text",
    file="a text",
    ending=".txt",
    form='text("file", x = past, y = next)',
    plain=_plain,
    modules=("re",),
    table=True,
    numbered=True,
    args=(
        Arg("by", choice("char", "word"), "char", "what is one unit"),
        Arg("length", POSITIVE_INT, None, "how many units are seen, as declared"),
    ),
    keys=("past", "next"),
    misfit=_misfit,
    settled=lambda attrs, shapes: {name: value for name, value in attrs.items() if name != "length"},
    spans=lambda shapes: {"past": (-shapes["past"][0], 0), "next": (0, 1)},
)
