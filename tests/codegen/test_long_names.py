"""Names of 25 to 60 letters, of values, blocks, sections and parameters: scripts fit the page, and are right."""

import ast
import re
import subprocess
import sys
from functools import cache

import pytest
from codegen.test_layout import RULES
from members.test_turn_names import renamed
from support import SPECS

from dotnn.codegen.wrap import WIDTH
from dotnn.core.diagnostics import CompileError, Source
from dotnn.session import Compilation, Options, compile_model
from dotnn.targets import TARGETS

LENGTHS = (25, 31, 38, 44, 52, 60)
WORDS = "_that_was_counted_in_the_second_of_all_images_of_this_tissue_which_were_taken"
DECLARED = (
    r"^\s*(?:input|target|output|layer|param|state)\s+([A-Za-z]\w*)",
    r"^\s*([A-Za-z]\w*)\s*=",
    r"\b(?:train|block|cell|model|activation|loss|metric|optimizer|schedule)\s+([A-Za-z]\w*)\s*[({]",
    r"params\s*{\s*([A-Za-z]\w*)\s*=",
)
"""Where names may stand that are the spec's own; which of them are, resolving says."""
OUTSIDE = re.compile(r'("[^"\n]*"|#[^\n]*)')
"""Texts and comments, in which no name is changed."""
EXECUTED = ["xor", "iris", "brackets", "jabberwocky", "gan", "decoupled", "translation", "lenet", "vanishing", "four"]


def with_names(text: str, names: dict[str, str]) -> str:
    """A spec with other names, but not in texts, nor behind dots."""
    parts = OUTSIDE.split(text)
    return "".join(part if i % 2 else renamed(part, names) for i, part in enumerate(parts))


def is_right(text: str) -> bool:
    """Whether a spec is one."""
    try:
        _ = Compilation(Source(str(SPECS / "long.nn"), text)).model
    except CompileError:
        return False
    return True


@cache
def long_spec(stem: str) -> str:
    """A spec of the repository with as many long names as can be given without changing what it means."""
    text = (SPECS / f"{stem}.nn").read_text(encoding="utf-8")
    declared = dict.fromkeys(name for pattern in DECLARED for name in re.findall(pattern, text, re.MULTILINE))
    for number, name in enumerate(declared):
        other = with_names(text, {name: f"{(name + WORDS)[: LENGTHS[number % len(LENGTHS)] - 1]}s"})
        text = other if is_right(other) else text
    return text


STARTED = ("frozen_encoder", "power_plant_by_hand", "power_plant_relu")
"""Their parameters start from files, which have names of their own."""
STEMS = [path.stem for path in sorted(SPECS.glob("*.nn")) if path.stem not in STARTED]


@cache
def script(stem: str, target: str, style: str) -> str:
    """The script of a spec with long names; "" where the target refuses it."""
    model = Compilation(Source(str(SPECS / f"{stem}.nn"), long_spec(stem))).model
    try:
        return compile_model(model, Options(style, target=target)).script
    except CompileError:
        assert target != "numpy"
        return ""


def test_names_are_long():
    names = [name for stem in STEMS for name in re.findall(r"\b\w{25,}\b", long_spec(stem))]
    assert {*LENGTHS} <= {*map(len, names)} and len(names) > 10 * len(STEMS)


@pytest.mark.parametrize("target, style", [(t.name, s.name) for t in TARGETS.values() for s in t.styles])
def test_scripts_fit_the_page(target, style, tmp_path):
    for stem in STEMS:
        text = script(stem, target, style)
        ast.parse(text)
        assert [line for line in text.split("\n") if len(line) > WIDTH] == [], stem
        (tmp_path / f"{stem}.py").write_text(text, encoding="utf-8")
    command = ["ruff", "check", "--isolated", "--no-cache", "--target-version", "py311", "--quiet", *RULES, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("style", ["explain", "fast"])
@pytest.mark.parametrize("stem", EXECUTED)
def test_the_gradients_are_right(stem, style, tmp_path):
    """As the script itself finds."""
    path = tmp_path / "script.py"
    path.write_text(script(stem, "numpy", style), encoding="utf-8")
    done = subprocess.run([sys.executable, path, "check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
