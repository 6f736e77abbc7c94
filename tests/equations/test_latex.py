"""Equations as LaTeX: a document that compiles, and in which nothing runs into the margin."""

import subprocess

import pytest
from errors.runner import dotnn
from support import OF_ONE, need

WORKED = {"xor": ("--example", "1"), "iris": ("--jacobian", "p"), "and_or": ("--forward", "x")}


@pytest.mark.parametrize("spec", OF_ONE, ids=lambda spec: spec.stem)
def test_the_document_of_a_spec_compiles(spec, tmp_path):
    need("pdflatex")
    done = dotnn("explain", str(spec), *WORKED.get(spec.stem, ()), "-o", "found.tex", folder=tmp_path)
    assert done.exit_code == 0, done.stderr
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "found.tex"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", errors="replace", check=False)
    lines = made.stdout.splitlines()
    assert made.returncode == 0, [line for line in lines if line.startswith("!")]
    assert [line for line in lines if line.startswith(("Overfull", "LaTeX Warning: Reference"))] == []
    assert (tmp_path / "found.pdf").read_bytes().startswith(b"%PDF-")
