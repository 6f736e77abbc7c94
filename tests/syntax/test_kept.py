"""What is kept beside the compiled modules: taken up only as it was made, and never in anyone's way."""

import io
import os
import subprocess
import sys

import lark
import pytest
from support import ROOT

from dotnn.core import kept
from dotnn.core.diagnostics import CompileError, Source
from dotnn.syntax import parse
from dotnn.syntax.build import TreeBuilder
from dotnn.syntax.grammar_file import grammar_path


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "cache"))
    return tmp_path / "module.py"


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_kept_bytes_are_those_of_the_same_text(place, tmp_path):
    assert kept.read(place, "tables", "text") is None
    kept.write(place, "tables", "text", b"a\nb")
    assert kept.read(place, "tables", "text") == b"a\nb"
    assert kept.read(place, "tables", "other text") is None
    assert kept.read(place, "other", "text") is None
    kept.write(place, "tables", "other text", b"c")
    assert kept.read(place, "tables", "other text") == b"c"
    assert len(files(tmp_path)) == 1


def test_damaged_bytes_are_not_taken(place, tmp_path):
    kept.write(place, "tables", "text", b"0123456789")
    (file,) = files(tmp_path)
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:20], b"", whole.replace(b"5", b"6"), whole + b"1"):
        file.write_bytes(damaged)
        assert kept.read(place, "tables", "text") is None


def test_nothing_is_written_where_python_would_not(place, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    kept.write(place, "tables", "text", b"a")
    assert not files(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "cache").write_text("a file where the folder would be")
    kept.write(place, "tables", "text", b"a")
    assert kept.read(place, "tables", "text") is None


@pytest.fixture(scope="module")
def parsers():
    """A parser that was built, and the one that reads its tables."""
    built = lark.Lark(grammar_path().read_text(encoding="utf-8"), transformer=TreeBuilder(), **parse._OPTIONS)
    file = io.BytesIO()
    built.save(file)
    return built, lark.Lark.load(io.BytesIO(file.getvalue()))


def test_read_tables_parse_as_built_ones(parsers, sample, monkeypatch):
    built, read = parsers
    for text in (sample.text, *(sample.text[:end] for end in range(0, len(sample.text), 139))):
        assert outcome(monkeypatch, read, text) == outcome(monkeypatch, built, text)


def outcome(monkeypatch, parser, text):
    monkeypatch.setattr(parse, "_parser", lambda: parser)
    try:
        return parse.parse(Source("a.nn", text))
    except CompileError as error:
        return [(d.code, d.message, d.span) for d in error.diagnostics]


def test_a_command_does_the_same_with_what_is_kept(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONPYCACHEPREFIX": str(tmp_path)}

    def compiled():
        command = [sys.executable, "-m", "dotnn", "compile", str(ROOT / "specs/xor.nn"), "-o", "-"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    first = compiled()
    made = [path for path in files(tmp_path) if path.suffix != ".pyc"]
    assert made
    times = [path.stat().st_mtime_ns for path in made]
    assert compiled() == first
    assert [path.stat().st_mtime_ns for path in made] == times
    for path in made:
        path.write_bytes(path.read_bytes()[:-7])
    assert compiled() == first
