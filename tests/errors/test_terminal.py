"""What a terminal and a pipe see: colours unless NO_COLOR is set, and no failure when the reader has gone."""

import os
import pty
import signal
import subprocess
import sys

import pytest

SPEC = """model M { input x: [2]  target t: [1]  output p = x -> dense(3, tanh) -> dense(1) }
train { loss = mse(p, t) }"""


def on_a_terminal(folder, **environment):
    """What dotnn prints of a spec that is wrong, on a pseudo-terminal."""
    (folder / "bad.nn").write_text("model M {\n")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "dotnn", "compile", "bad.nn"]
    plain = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    subprocess.run(command, cwd=folder, env=plain | environment | {"TERM": "xterm"}, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = os.read(ours, 1 << 16)
    os.close(ours)
    return text


def test_no_color(tmp_path):
    assert b"\x1b[" not in on_a_terminal(tmp_path, NO_COLOR="1")
    assert b"\x1b[" in on_a_terminal(tmp_path, NO_COLOR="")  # empty counts as not set


@pytest.mark.parametrize(
    "words", [["check", "s.nn"], ["check", "s.nn", "--json"], ["compile", "s.nn", "-o", "-"]], ids=str
)
def test_a_reader_that_has_gone(words, tmp_path):
    (tmp_path / "s.nn").write_text(SPEC)
    reader, writer = os.pipe()
    os.close(reader)
    outcome = subprocess.run(
        [sys.executable, "-m", "dotnn", *words], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert outcome.returncode == 141
    assert "Traceback" not in outcome.stderr and "BrokenPipe" not in outcome.stderr


@pytest.mark.parametrize("words", [["train", "--epochs", "3"], ["check"], ["train", "--help"]], ids=str)
@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_reader_of_a_script_that_has_gone(words, style, tmp_path):
    (tmp_path / "s.nn").write_text(SPEC.replace("}\ntrain", "}\ndata { x = [[0, 1], [1, 1]]  t = [[0], [1]] }\ntrain"))
    program = [sys.executable, "-m", "dotnn", "compile", "s.nn", "--style", style]
    subprocess.run(program, cwd=tmp_path, check=True, capture_output=True)
    reader, writer = os.pipe()
    os.close(reader)
    outcome = subprocess.run(
        [sys.executable, "s.py", *words], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert style == "fast" or outcome.returncode in (0, 141, -signal.SIGPIPE), outcome.stderr
    assert "Traceback" not in outcome.stderr and "Exception ignored" not in outcome.stderr


LIGHT = """
import sys
from dotnn.cli import main
try:
    main(["--help"])
except SystemExit as end:
    print(end.code, file=sys.stderr)
heavy = sys.modules.keys() & {"numpy", "lark", "jinja2", "rich", "matplotlib", "tensorflow", "keras"}
print(sorted(heavy), file=sys.stderr)
"""


def test_help_is_quick():
    """It imports nothing that only the work of a command needs."""
    outcome = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True)
    assert outcome.stderr.split() == ["0", "[]"]
