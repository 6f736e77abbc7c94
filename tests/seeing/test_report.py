"""`dotnn report`: one well-formed page, readable by all, that says what evaluate, doctor, check and the data say."""

import csv
import itertools
import json
import re
from html import unescape
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from errors.runner import dotnn
from seeing.test_pictures import contrast

from dotnn.reports.page.document import LARGEST, PagePart, page
from dotnn.reports.page.markup import scoped
from dotnn.reports.page.style import DARK, LIGHT, STYLE

SPEC = """
params { units = 6 }
model Flowers {  # <script>alert("&amp;")</script>
  input x: [2]  input town: category[3]  target kind: class[2]
  output p = concat(x, town -> embedding(3, 2) -> flatten) -> dense(units, tanh) -> dense(2, softmax)
}
data {
  source  = csv("d.csv", x = [a, b], town = town, kind = kind)
  missing = median(x)
  scale   = standard(x)
  split   = split(train = 60%, test = 40%)
}
train { loss = cross_entropy(p, kind)  optim = adam(0.05)  batch = 16  epochs = 6  metrics = [accuracy] }
"""
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """A page as an HTML parser reads it: what is open where, ids, references, words."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "link", "iframe", "object", "img"), tag
        self.elements.append((tag, dict(attributes), [*self.open]))
        if tag not in VOID:
            self.open.append((tag, dict(attributes)))

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), [*self.open]))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if not any(tag == "style" for tag, _ in self.open):
            self.words.append(data)

    def table(self, label):
        """Return the cells of a table by the name of its row."""
        return next(rows for name, rows in self.tables() if name == label)

    def tables(self):
        root = ElementTree.fromstring(self.text.partition("\n")[2])
        for scroll in root.iter("div"):
            if scroll.get("role") == "region" and scroll.find("table") is not None:
                rows = [["".join(c.itertext()) for c in row] for row in scroll.find("table").iter("tr")]
                yield scroll.get("aria-label"), {row[0]: row[1:] for row in rows[1:]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 150)) * [[2], [30]]
    town = np.array(["Ulm", "Bonn"])[rng.integers(0, 2, 150)]
    kind = np.where(a + b / 20 + rng.standard_normal(150) > 0, "rose", "<b>lily</b>")
    with open(made / "d.csv", "w", newline="") as file:
        rows = [(a[i] if i % 10 else "", b[i], town[i], kind[i]) for i in range(150)]
        csv.writer(file).writerows([("a", "b", "town", "kind"), *rows])
    (made / "s.nn").write_text(SPEC)
    command = ["train", "s.nn", "--run", "r", "--set", "units=5", "--seed", "4"]
    assert dotnn(*command, folder=made).exit_code == 0
    assert dotnn("report", "r", folder=made).exit_code == 0
    return made


@pytest.fixture(scope="module")
def found(folder):
    text = (folder / "r.html").read_text(encoding="utf-8")
    made = Page.__new__(Page)
    made.text = text
    made.__init__(text)
    return made


def test_it_is_well_formed_and_small(folder, found):
    """An HTML parser closes what it opens; as XML it is one tree; nothing is fetched from anywhere."""
    ElementTree.fromstring(found.text.partition("\n")[2])
    assert found.text.startswith("<!DOCTYPE html>\n") and len(found.text.encode()) < LARGEST
    assert not re.search(r"https?:|url\(|@import|//\w+\.\w", found.text)
    for _, attributes, _ in found.elements:
        assert "src" not in attributes and attributes.get("href", "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)
    assert dotnn("report", "r", "-o", "-", folder=folder).stdout == found.text


def test_ids_are_unique_and_all_that_is_referred_to_is_there(found):
    ids = [attributes["id"] for _, attributes, _ in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes, _ in found.elements:
        named = [*attributes.get("aria-labelledby", "").split(), attributes.get("href", "").removeprefix("#")]
        assert set(filter(None, named)) <= set(ids)
    levels = [int(tag[1]) for tag, _, _ in found.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_what_may_be_wide_scrolls(found):
    """No table, formula, text or drawing makes the page wider than the screen: each lies in a part that scrolls."""
    wide = [(tag, around) for tag, _, around in found.elements if tag in ("table", "pre", "svg")]
    assert len(wide) > 8
    for tag, around in wide:
        assert any(attributes.get("class") == "scroll" for _, attributes in around), tag
    for tag, attributes, around in found.elements:
        if tag == "math" and attributes.get("display") == "block":
            assert any("scroll" in inner.get("class", "") for _, inner in around)
    assert not re.search(r"(?<!max-)(?<!stroke-)\bwidth: *\d+px", STYLE)
    assert all(f"max-width: {limit}" in STYLE for limit in ("60rem", "100%"))
    assert ".scroll { overflow-x: auto" in STYLE
    assert all("tabindex" in attributes for _, attributes, _ in found.elements if attributes.get("class") == "scroll")


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_texts_have_the_contrast_of_aa(colours):
    assert all(contrast(colours[name], colours["ground"]) >= 4.5 for name in ("ink", "quiet", "good", "bad"))
    assert contrast(colours["line"], colours["ground"]) >= 3


def test_it_says_what_the_other_commands_say(folder, found):
    figures = json.loads(dotnn("evaluate", "r", "--json", folder=folder).stdout)
    (output,) = figures["outputs"]
    shown = found.table("Figures of p against kind")
    assert shown["accuracy"][0] == f"{output['figures']['accuracy']:.4g}"
    low, high = output["intervals"]["accuracy"]
    near = [float(end) for end in shown["accuracy"][1].split(" to ")]
    assert np.allclose(near, (low, high), rtol=0, atol=0.05 * (high - low))
    assert shown["Brier score"][0] == f"{output['figures']['brier']:.4g}"
    seen = json.loads(dotnn("doctor", "r", "--json", folder=folder).stdout)
    words = " ".join(found.words)
    assert all(fault["message"] in words and fault["fix"] in words for fault in seen["findings"])
    signs = found.table("Signs of every layer")
    assert [*signs] == [layer["layer"] for layer in seen["layers"]]
    checked = json.loads(dotnn("check", "s.nn", "--set", "units=5", "--json", folder=folder).stdout)
    assert checked["verdict"] == "PASS" and "Gradient check: passed." in found.words
    assert [*found.table("Each gradient")] == [tensor["name"] for tensor in checked["tensors"]]


def test_what_each_part_reached_is_what_the_run_folder_says(folder, found):
    result = json.loads((folder / "r/metrics.json").read_text())
    own, test = result["metrics"]["accuracy"], result["metrics"]["test_accuracy"]
    shown = found.table("Loss and metrics of each part")
    assert shown["train"] == [f"{result['loss']:.4g}", f"{own:.4g}"]
    assert shown["test"] == [f"{result['metrics']['test_loss']:.4g}", f"{test:.4g}"]
    assert [*shown] == ["train", "test"]  # the spec has no validation part


def test_the_data_are_summed_up(folder, found):
    with open(folder / "d.csv", newline="") as file:
        rows = [*csv.DictReader(file)]
    shown = found.table("The columns of the data")
    for column in ("a", "b"):
        values = np.array([float(row[column]) for row in rows if row[column]])
        kind, count, missing, *numbers = shown[f"x: {column}"]
        assert (kind, int(count), int(missing)) == ("real", 150, 150 - len(values))
        assert numbers == [f"{v:.4g}" for v in (values.min(), values.mean(), values.max(), values.std())]
    words = "".join(found.words)
    for name, value in (("kind", "<b>lily</b>"), ("kind", "rose"), ("town", "Ulm"), ("town", "Bonn")):
        count = sum(row[name] == value for row in rows)
        assert f"{value}: {count}" in words
    assert "90 for train, 60 for test" in words
    spread = found.table("Examples of each class of kind")
    parts = {called: [int(cell.partition(" ")[0]) for cell in row] for called, row in spread.items()}
    assert np.sum([*parts.values()], axis=0).tolist() == [90, 60]
    kinds = sorted({row["kind"] for row in rows})
    assert [*spread] == [f"{i}: {kind}" for i, kind in enumerate(kinds)]
    assert [sum(row) for row in parts.values()] == [sum(row["kind"] == kind for row in rows) for kind in kinds]


def test_the_training_can_be_repeated_by_what_it_says(folder, found):
    (command,) = [line for line in found.words if line.startswith("dotnn train")]
    words = command.replace('"', "").split()[1:]
    assert dotnn(*words, folder=folder).exit_code == 0
    with np.load(folder / "r/weights.npz") as one, np.load(folder / "again/weights.npz") as other:
        assert all(np.array_equal(one[name], other[name]) for name in one.files)


@pytest.mark.parametrize(
    "options", [["--epochs", "3"], ["--style", "explain", "--precision", "float64"], ["--init-from", "r"]], ids=" ".join
)
def test_what_the_command_line_asked_for_is_repeated(folder, options):
    name = options[0].strip("-")
    assert dotnn("train", "s.nn", "--run", name, *options, folder=folder).exit_code == 0
    assert dotnn("report", name, "-o", "p.html", folder=folder).exit_code == 0
    text = unescape((folder / "p.html").read_text(encoding="utf-8"))
    (folder / "p.html").unlink()
    (command,) = re.findall("dotnn train s.nn --run again (.*)</pre>", text)
    assert dotnn("train", "s.nn", "--run", f"{name}2", *command.split(), folder=folder).exit_code == 0
    for file in ("weights.npz", "history.csv"):
        assert (folder / name / file).read_bytes() == (folder / f"{name}2" / file).read_bytes()


def test_texts_of_the_spec_and_the_data_are_texts(found):
    assert '<script>alert("&amp;")</script>' in "".join(found.words)
    assert not any(tag == "b" for tag, _, _ in found.elements)


def test_what_is_too_large_gives_way():
    """The heaviest part first, and no more than must be; what has no weight stays whatever it takes."""
    parts = [
        PagePart("a", "A", "a" * 1000),
        PagePart("b", "B", "b" * LARGEST, 2, "short b"),
        PagePart("c", "C", "cc", 1, ""),
    ]
    text = page("t", "", "s", parts)
    assert "short b" in text and "bbb" not in text and "cc" in text and len(text.encode()) < LARGEST
    large = page("t", "", "s", [PagePart("a", "A", "a" * LARGEST), PagePart("c", "C", "cc", 1, "gone")])
    assert "gone" in large and "a" * LARGEST in large


def test_styles_of_pictures_hold_in_pictures_only():
    style = scoped("svg { a: b } text, .x { c: d }\n@media (prefers-color-scheme: dark) {\n.y { e: f }\n}", ".pic")
    lines = style.splitlines()
    assert lines[0] == ".pic svg { a: b }.pic text, .pic .x { c: d }"
    assert lines[1:] == ["@media screen and (prefers-color-scheme: dark) {", ".pic .y { e: f }", "}"]


def test_files_are_not_overwritten(folder):
    again = dotnn("report", "r", folder=folder)
    assert again.exit_code == 1 and "NN503" in again.stderr
    assert dotnn("report", "r", "-o", "r.pdf", folder=folder).exit_code == 2
    assert "NN406" in dotnn("report", "nothing", "-o", "-", folder=folder).stderr


TURNS = """
model Pair { input x: [2]  target t: [1]
  output h = x -> dense(3, tanh)
  output y = h -> dense(1) }
data { source = csv("d.csv", x = [a, b], t = b)  missing = median(x) }
train { optim = sgd(0.01)  batch = 16  epochs = 2 }
train upper { loss = mse(y, t)  updates = [y] }
train lower { loss = mse(y, t)  updates = [h] }
"""


def test_sections_that_take_turns_have_their_own_equations(folder):
    """They are those that `dotnn explain` writes of each, in the order of the sections."""
    (folder / "turns.nn").write_text(TURNS)
    assert dotnn("train", "turns.nn", "--run", "turns", folder=folder).exit_code == 0
    text = dotnn("report", "turns", "-o", "-", folder=folder).stdout
    ElementTree.fromstring(text.partition("\n")[2])
    places = [text.index(f"<summary>Forward, the loss, backward, the update: {name}<") for name in ("upper", "lower")]
    assert places == sorted(places)
    for name, begin, end in zip(("upper", "lower"), places, [places[1], len(text)], strict=True):
        alone = dotnn("explain", "turns.nn", "--section", name, "-o", f"{name}.html", folder=folder)
        assert alone.exit_code == 0, alone.stderr
        formulas = re.findall(r"<math.*?</math>", (folder / f"{name}.html").read_text(), re.DOTALL)
        found = re.findall(r"<math.*?</math>", text[begin:end], re.DOTALL)
        assert len(formulas) > 8 and found == formulas
