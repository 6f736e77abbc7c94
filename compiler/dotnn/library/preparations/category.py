"""Texts of an input as whole numbers, as `input city: category[12]` declares them."""

from __future__ import annotations

from dotnn.core.arguments import POSITIVE_INT, Arg
from dotnn.library.preparations.base import Preparation

PLAIN = {
    "fit_category": '''
def fit_category(texts, size):
    """Return the texts that are known, in sorted order; with 0 for all others they are `size` at most."""
    known = np.unique(texts[texts != ""])
    assert len(known) < size, f"{len(known)} texts and 0 for all others are more than {size}"
    return {"texts": known}
''',
    "category_numbers": '''
def category_numbers(texts, s):
    """Return the number of each text, from 1 on; 0 for one that is not known."""
    number = {text: i for i, text in enumerate(s["texts"], 1)}
    return np.array([number.get(text, 0) for text in texts])
''',
}
CATEGORY = Preparation(
    "category",
    "The texts of the training part, in sorted order, are 1, 2, …; an empty cell, and a text that is not among them, "
    "is 0.",
    "declared",
    (Arg("size", POSITIVE_INT, doc="how many numbers there are, 0 included"),),
    raw=lambda attrs, shape: "text",
    fit=lambda attrs, shape: f"fit_category({{values}}, {attrs['size']})",
    fitted=lambda attrs, shape: {"texts": None},
    apply=lambda attrs, shape: "category_numbers({values}, {s})",
    counts=True,
    plain=PLAIN,
)
