"""Somebody's script may never end: the check of it does, says where it was, and leaves no process behind."""

import os
import time

import pytest
from click.testing import CliRunner
from support import SPECS

from dotnn.cli import main
from dotnn.running.deadline import Ended, within
from dotnn.session import Options, compile_spec

ENDLESS = {
    "in Python": "while True: pass",
    "whatever is raised": "while True:\n        try: time.sleep(1)\n        except BaseException: pass",
    "in a call that never looks at signals": "sum(range(10**15))",
    "in NumPy": "np.arange(10**5).astype(object).dot(np.arange(10**5)) ** 10**9",
}


def test_what_is_returned_and_what_is_raised_comes_back():
    assert within(20, lambda: {"pid": os.getpid()})["pid"] != os.getpid()
    with pytest.raises(KeyError, match="missing"):
        within(20, lambda: {}["missing"])


def test_a_process_that_dies_is_told():
    with pytest.raises(Ended, match="its process died"):
        within(20, lambda: os._exit(3))


@pytest.mark.parametrize(
    ("loop", "place"), [*((loop, "backward") for loop in ENDLESS), ("in Python", "import"), ("in Python", "train")]
)
def test_an_endless_script_is_ended(loop, place, tmp_path):
    text = compile_spec(str(SPECS / "xor.nn"), Options()).script
    head = "EPOCHS, " if place == "import" else f"def {place}("
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(head))
    indent = "" if place == "import" else "    "
    lines.insert(at + 1, f"{indent}import time; import numpy as np\n{indent}{ENDLESS[loop]}")
    script = tmp_path / "endless.py"
    script.write_text("\n".join(lines), encoding="utf-8")
    started = time.monotonic()
    done = CliRunner().invoke(main, ["check", str(script), "--timeout", "1"])
    assert time.monotonic() - started < 15
    assert done.exit_code == 1
    assert "error[NN407]" in done.output and "has not ended within 1 s" in done.output
    number = next(int(word.rstrip(",")) for word in done.output.split("in line ")[1].split())
    assert at + 2 <= number <= at + 5
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_check_in_time_is_as_without(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(compile_spec(str(SPECS / "xor.nn"), Options()).script, encoding="utf-8")
    command = ["check", str(script), "--json"]
    plain, timed = (CliRunner().invoke(main, [*command, *more]) for more in ([], ["--timeout", "50"]))
    assert plain.exit_code == timed.exit_code == 0
    assert plain.output == timed.output
    assert CliRunner().invoke(main, ["check", str(SPECS / "number_words.nn"), "--timeout", "0.01"]).exit_code == 1
    assert CliRunner().invoke(main, ["check", str(script), "--timeout", "0"]).exit_code == 2
