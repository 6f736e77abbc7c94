"""TensorFlow is an extra: commands that need it say how to install it, and compiling never needs it."""

import subprocess
import sys
from pathlib import Path

import pytest

XOR = Path(__file__).parents[2] / "specs" / "xor.nn"
WITHOUT = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
from dotnn.cli import main
main()
"""


def run(*arguments, folder):
    command = [sys.executable, "-c", WITHOUT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize("command", ["diff", "check --against tensorflow", "train --target tensorflow --run r"])
def test_it_says_how_to_install_it(command, tmp_path):
    done = run(*command.split(), XOR, folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "error[NN506]: TensorFlow is not installed\n  help: pip install 'dotnn[tensorflow]'\n\n1 error\n"
    )
    assert not (tmp_path / "r").exists()


def test_compiling_does_without(tmp_path):
    assert run("compile", XOR, "--target", "tensorflow", folder=tmp_path).returncode == 0
    assert (tmp_path / "xor_tf.py").is_file()


@pytest.mark.parametrize("flag", [["--style", "fast"], ["--style", "explain"], ["--input-gradients"]])
def test_options_of_the_numpy_target_are_refused(flag, tmp_path):
    done = run("compile", XOR, "--target", "tensorflow", *flag, folder=tmp_path)
    assert done.returncode == 2
    assert f"{flag[0]} does not apply to --target tensorflow" in done.stderr
