"""The pages that `dotnn explain` writes: read as what they are, and run where they hold code."""

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from support import SPECS

from dotnn.cli import main

SPREAD = ("xor", "lenet", "brackets", "jabberwocky", "digits_batchnorm", "digits_dropout", "maxout")


def page(spec, ending, folder, *options):
    path = folder / f"page{ending}"
    done = CliRunner().invoke(main, ["explain", str(spec), *options, "-o", str(path), "--force"])
    assert done.exit_code == 0, done.output
    return path.read_text(encoding="utf-8")


class Page(HTMLParser):
    """Checks that tags are closed in their order, and collects links."""

    def __init__(self):
        super().__init__()
        self.open, self.links, self.count = [], [], 0

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("href", "src")]
        self.count += tag == "math"
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", SPREAD)
def test_html(name, tmp_path):
    """It is well formed, every formula is XML, and nothing in it is fetched."""
    text = page(SPECS / f"{name}.nn", ".html", tmp_path)
    read = Page()
    read.feed(text)
    assert not read.open
    assert not read.links
    formulas = re.findall(r"<math.*?</math>", text, re.DOTALL)
    assert len(formulas) == read.count > 10
    for formula in formulas:
        for element in ElementTree.fromstring(formula.replace("&#160;", " ")).iter():
            wanted = {"mfrac": 2, "msup": 2, "msub": 2, "munder": 2, "msubsup": 3}.get(element.tag)
            assert wanted in (None, len(element)), formula


def structure(text):
    """Read LaTeX as a tree of groups and environments; anything that does not close is an error."""
    stack = []
    for token in re.finditer(r"\\begin\{(\w+\*?)\}|\\end\{(\w+\*?)\}|\\left(?![a-z])|\\right(?![a-z])|\\.|[{}$]", text):
        begun, ended = token.groups()
        mark = token[0]
        if begun:
            stack.append(begun)
        elif ended:
            assert stack.pop() == ended, text[token.start() - 60 : token.end()]
        elif mark in ("{", r"\left"):
            stack.append(mark)
        elif mark in ("}", r"\right"):
            assert stack.pop() == {"}": "{", r"\right": r"\left"}[mark], text[token.start() - 80 : token.end()]
        elif mark == "$":
            if stack[-1] == "$":
                stack.pop()
            else:
                stack.append("$")
    assert not stack
    for mark in (r"\^", "_"):  # LaTeX takes one superscript and one subscript
        assert not re.search(rf"{mark}(\w|\{{[^{{}}]*\}})\s*{mark}", text.replace(r"\_", "")), mark


@pytest.mark.parametrize("name", SPREAD)
def test_latex(name, tmp_path):
    """All groups, brackets and environments close, and it is ASCII; where there is LaTeX, it compiles."""
    text = page(SPECS / f"{name}.nn", ".tex", tmp_path, "--example", "1")
    assert text.isascii()
    structure(re.sub(r"(?<!\\)%.*", "", text).replace(r"\ifdim\wd0>\linewidth", ""))
    if shutil.which("pdflatex"):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.nn")), ids=lambda path: path.stem)
def test_notebook(path, tmp_path):
    """Its cells run beside the spec, one after the other, and the derivatives that they compare are equal."""
    book = json.loads(page(path, ".ipynb", tmp_path, "--example", "1"))
    assert len({cell["id"] for cell in book["cells"]}) == len(book["cells"])
    scope: dict[str, object] = {"__name__": "__main__"}
    before = os.getcwd()
    os.chdir(SPECS)
    try:
        for cell in book["cells"]:
            if cell["cell_type"] == "code":
                exec(compile(cell["source"], "cell", "exec"), scope)
    finally:
        os.chdir(before)
    assert scope["slopes"].keys() == scope["grads"].keys()
    for backward, complex_step in scope["slopes"].values():
        assert backward == pytest.approx(complex_step, rel=1e-9, abs=1e-15)


def test_the_same_bytes():
    """No order of a set, and no time, gets into a page."""
    command = [sys.executable, "-m", "dotnn", "explain", str(SPECS / "lenet.nn"), "--example", "2"]
    pages = [
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    ]
    assert pages[0] == pages[1] != b""


def test_what_is_refused(tmp_path):
    spec = str(SPECS / "xor.nn")
    taken = tmp_path / "taken.md"
    taken.write_text("mine")
    for options, code in [
        (["-o", str(tmp_path / "page.pdf")], 2),
        (["-o", str(taken)], 1),
        (["--data", "x.npz"], 2),
        (["--example", "0"], 2),
        (["--digits", "18"], 2),
    ]:
        done = CliRunner().invoke(main, ["explain", spec, *options])
        assert done.exit_code == code, (options, done.output)
    assert taken.read_text() == "mine"
