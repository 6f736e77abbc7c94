"""`dotnn check SCRIPT.py` of scripts whose sections take turns."""

import json
import re

import pytest
from errors.runner import dotnn
from members.test_turns import DECOUPLED, GAN
from support import STYLES

from dotnn.commands.checking.sections import takes_turns


@pytest.mark.parametrize("text", [GAN, DECOUPLED])
@pytest.mark.parametrize("style", STYLES)
def test_a_script_is_checked_as_it_is(style, text, tmp_path):
    """Alone and beside its spec; a wrong line fails, and says which gradient of which section."""
    (tmp_path / "s.nn").write_text(text)
    assert dotnn("compile", "s.nn", "-o", "s.py", "--style", style, folder=tmp_path).exit_code == 0
    for more in ([], ["--spec", "s.nn"]):
        found = dotnn("check", "s.py", *more, "--json", folder=tmp_path)
        assert found.exit_code == 0 and json.loads(found.stdout)["verdict"] == "PASS", found.stdout
    script = (tmp_path / "s.py").read_text()
    wrong = re.sub(r"(def backward_.*?\n    return \{\"[\w.]+\": )", r"\1 2 * ", script, count=1, flags=re.DOTALL)
    twice = "return step(None, rng), {n: 2 * g for n, g in grads.items()}"
    wrong = wrong.replace("return step(None, rng), grads", twice, 1)
    assert wrong != script
    (tmp_path / "s.py").write_text(wrong)
    found = json.loads(dotnn("check", "s.py", "--json", folder=tmp_path).stdout)
    failed = {row["section"] for row in found["tensors"] if row["verdict"] == "FAIL"}
    assert found["verdict"] == "FAIL" and len(failed) == 1, failed


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("SECTIONS={}", True),
        ("x = 1; SECTIONS = {}", True),
        ('"""\nSECTIONS = {}\n"""', False),
        ("def f():\n    SECTIONS = {}", False),
        ("SECTIONS = (", False),
    ],
)
def test_what_turns_is_told_by_what_python_reads(text, turns):
    """Not by how it is laid out, nor by what a text in it says."""
    assert takes_turns(text) is turns
