"""Mutilated specs, each a function of its number, and what must hold of every one of them."""

import ast
import random
import re
from functools import cache

from fuzz.grow import spec
from support import ROOT, SPECS

from dotnn.core.diagnostics import CompileError, Source
from dotnn.model.linking import libraries, library
from dotnn.model.lint import lint
from dotnn.model.model import Model
from dotnn.model.resolve import resolve
from dotnn.session import Options, compile_model
from dotnn.syntax.parse import parse

FILES = sorted([*SPECS.glob("*.nn"), *(ROOT / "tests" / "errors" / "cases").rglob("*.nn")])
MODEL = "model M { input x: [2]  target t: [1]  output y = x -> dense(1) }\ntrain { loss = mse(y, t) }\n"
TOKEN = re.compile(r'"[^"\n]*"|\w+|\s+|->|\.\.|[^\w\s]')
ODD = [
    "0", "-1", "1e308", "10**9", "10**400", "[]", "()", "{", "}", '"', '""', "in 1..2", "-> repeat(3, dense(2))",
    "true", "none", "\0", "\ufeff", "é", "𝐱", "\t", "\r",
]  # fmt: skip


@cache
def whole() -> list[str]:
    """Specs without a mistake: those of the repository, the standard library, and random ones."""
    found = [p.read_text(encoding="utf-8") for p in sorted(SPECS.glob("*.nn")) if p.stat().st_size < 3000]
    found += [f"{library(name)[1].text}\n{MODEL}" for name in libraries()]
    return found + [spec(number, files=False) for number in range(1, 81, 2)]  # with definitions, cells and expressions


@cache
def texts() -> list[str]:
    """Those, and the specs that are refused."""
    return [p.read_text(encoding="utf-8", errors="replace") for p in FILES if p.stat().st_size < 3000] + whole()


@cache
def tokens() -> list[str]:
    """What there is to put in: every token of them all, and odd ones."""
    found = {token for text in texts() for token in TOKEN.findall(text)}
    return sorted(token for token in found if not token.isspace() and len(token) < 20) + ODD


def mutilated(number: int) -> str:
    """A spec with one to four of its tokens lost, doubled, replaced, swapped or moved, or a heap of tokens."""
    rng = random.Random(number)
    if rng.random() < 0.1:
        heap = " ".join(rng.choices(tokens(), k=rng.randrange(40)))
        return "model M { input x: [2]  target t: [1]\n" + heap + "\n}\ntrain { loss = mse(p, t) }"
    pieces = TOKEN.findall(rng.choice(whole() if rng.random() < 0.5 else texts())) or [""]
    for _ in range(rng.randint(1, 4)):
        _mutilate(pieces, rng)
    return "".join(pieces)


def _mutilate(pieces: list[str], rng: random.Random) -> None:
    here, there = rng.randrange(len(pieces)), rng.randrange(len(pieces))
    match rng.choice(["lose", "insert", "replace", "swap", "move", "lose many"]):
        case "lose":
            pieces[here] = ""
        case "insert":
            pieces[here] += f" {rng.choice(tokens())} "
        case "replace":
            pieces[here] = rng.choice(tokens())
        case "swap":
            pieces[here], pieces[there] = pieces[there], pieces[here]
        case "move":
            pieces.insert(here, pieces[there])
        case "lose many":
            pieces[here : here + rng.randint(1, 20)] = []
            pieces += [""] * (not pieces)


def front(text: str) -> Model | None:
    """The model of a spec, None where it is refused: then every error has a code, and a place inside the text."""
    source = Source(str(SPECS / "fuzz.nn"), text)
    try:
        model, _ = resolve(parse(source), source)
        lint(model)
        return model
    except CompileError as error:
        refused(error)
        return None


def refused(error: CompileError) -> None:
    assert error.diagnostics
    for d in error.diagnostics:
        where = d.source or error.source
        assert d.span is None or where is not None
        if d.span is not None and where is not None:
            text, span = where.local(d.span)  # it may stand in the standard library
            assert 0 <= span.start <= span.end <= len(text.text) + 1
        assert re.fullmatch(r"NN\d{3}", d.code)
    assert "error[" in error.render()


def compiles(model: Model) -> None:
    """A model becomes valid Python, or is refused."""
    # What the compiler must survive is the spec; how long a network of a million layers takes is another matter.
    if model.size < 10**6 and len(model.steps) < 200:
        try:
            ast.parse(compile_model(model, Options()).script)
        except CompileError as error:
            refused(error)
