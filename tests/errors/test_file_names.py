"""Names of files, wherever a command takes one: streams, pipes, links, modes, and names that no file can have."""

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import threading

import click
import numpy as np
import pytest
from click.testing import CliRunner
from errors.runner import dotnn
from support import SPECS

from dotnn.cli import main
from dotnn.commands.options import FileName

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
FILES = [
    (command, param)
    for name, command in main.commands.items()
    for param in command.params
    if isinstance(param.type, FileName)
]
"""Every argument and option of every command that names a file."""


def test_every_name_of_a_file_is_one():
    """No option whose word for its value says so is left out."""
    words = {"SPEC", "FILE", "DIR", "PATH", "RUN"}
    named = {p for command in main.commands.values() for p in command.params if p.metavar in words}
    assert named <= {param for _, param in FILES}


GOOD = {"spec": ["xor.nn"], "run": ["run"], "files": ["xor.nn"], "input_file": ["--input", "in.csv"]}
GOOD |= {"file": ["."], "output": ["-o", "x.npz"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a finished run in `run`."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copy(SPECS / "xor.nn", folder / "xor.nn")
    assert dotnn("train", "xor.nn", "--run", "run", "--epochs", "2", folder=folder).exit_code == 0
    (folder / "in.csv").write_text("x1,x2\n0,1\n1,1\n")
    np.savez(folder / "in.npz", x=[[0.0, 1.0], [1.0, 1.0]])
    return folder


@pytest.fixture(scope="module")
def predictions(folder):
    return dotnn("predict", "run", "--input", "in.csv", folder=folder).stdout


def script(*args: str, folder, **more) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "run/model.py", *args], cwd=folder, capture_output=True, check=True, **more)


@pytest.mark.parametrize("name", ["a" * 300, "a\0b"], ids=["long", "NUL"])
@pytest.mark.parametrize(("command", "param"), FILES, ids=[f"{c.name} {p.name}" for c, p in FILES])
def test_names_that_the_system_refuses(command, param, name, folder):
    words = [] if param.name in GOOD and not isinstance(param, click.Option) else [param.opts[-1]]
    required = [word for p in command.params if p.required and p is not param for word in GOOD[p.name]]
    outcome = dotnn(command.name, *required, *words, name, folder=folder)
    assert outcome.exit_code == 1 and "error[NN001]" in outcome.stderr, outcome.stderr
    assert "cannot be the name of a file" in outcome.stderr


@pytest.mark.parametrize("name", ["a" * 300, "a\\0b"], ids=["long", "NUL"])
@pytest.mark.parametrize("command", ["compile", "train"])
@pytest.mark.parametrize("place", ['csv("NAME", x = x, t = t)', 'npz("NAME", x = x, t = t)'])
def test_names_in_a_spec(name, command, place, tmp_path):
    text = "model M { input x: [1]  target t: [1]  output p = x -> dense(1) }\n"
    (tmp_path / "s.nn").write_text(
        f"{text}data {{ source = {place.replace('NAME', name)} }}\ntrain {{ loss = mse(p, t) }}"
    )
    outcome = dotnn(command, "s.nn", folder=tmp_path)
    assert outcome.exit_code == 1 and "error[NN" in outcome.stderr and "NN901" not in outcome.stderr
    assert os.listdir(tmp_path) == ["s.nn"]


def through(given: bytes, *args: str, folder):
    """A command with standard input."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        return CliRunner().invoke(main, args, input=given)
    finally:
        os.chdir(before)


def test_specs_from_standard_input(folder):
    spec = (folder / "xor.nn").read_bytes()
    script = dotnn("compile", "xor.nn", "-o", "-", folder=folder).stdout
    piped = through(spec, "compile", "-", folder=folder).stdout
    piped = piped.replace("<stdin>:", "xor.nn:").replace("stdin.py", "xor.py")
    (ours, theirs) = ([line.split() for line in text.splitlines()[3:]] for text in (script, piped))
    assert ours == theirs  # but for the room that a longer name leaves
    assert through(spec, "dump", "-", folder=folder).stdout == dotnn("dump", "xor.nn", folder=folder).stdout
    assert json.loads(through(spec, "check", "-", "--json", folder=folder).stdout)["verdict"] == "PASS"
    assert through(b"model{", "check", "-", folder=folder).exit_code == 1
    formatted = through(b"train{loss=mse(y,t)}", "fmt", "-", folder=folder)
    assert (formatted.exit_code, formatted.stdout) == (0, "train { loss = mse(y, t) }\n")
    assert through(b"train{loss=mse(y,t)}", "fmt", "-", "--check", folder=folder).exit_code == 1
    trained = through(spec, "train", "-", "--run", "piped", "--epochs", "2", folder=folder)
    assert trained.exit_code == 0, trained.stderr
    with np.load(folder / "piped/weights.npz") as one, np.load(folder / "run/weights.npz") as other:
        assert all(np.array_equal(one[name], other[name]) for name in other)


def test_data_from_standard_input(tmp_path):
    text = "model M { input x: [1]  target t: [1]  output p = x -> dense(1) }\ntrain { loss = mse(p, t)  epochs = 3 }\n"
    (tmp_path / "s.nn").write_text(text)
    np.savez(tmp_path / "d.npz", x=[[1.0], [2.0]], t=[[2.0], [3.0]])
    assert dotnn("train", "s.nn", "--data", "d.npz", "--run", "a", folder=tmp_path).exit_code == 0
    piped = through((tmp_path / "d.npz").read_bytes(), "train", "s.nn", "--data", "-", "--run", "b", folder=tmp_path)
    assert piped.exit_code == 0, piped.stderr
    assert (tmp_path / "a/weights.npz").read_bytes() == (tmp_path / "b/weights.npz").read_bytes()


def test_predictions_through_standard_streams(folder, predictions):
    csv, npz = ((folder / name).read_bytes() for name in ("in.csv", "in.npz"))
    assert through(csv, "predict", "run", "--input", "-", "-o", "-", folder=folder).stdout == predictions
    command = ["predict", "run", "--input", "-"]
    program = [sys.executable, "-m", "dotnn", *command]
    for content in (csv, npz):
        done = subprocess.run(program, cwd=folder, input=content, capture_output=True, check=True)
        assert done.stdout.decode() == predictions
    done = script("predict", "--weights", "run", "--input", "-", "-o", "-", folder=folder, input=npz)
    assert done.stdout.decode() == predictions
    assert not (folder / "-").exists()


COMMANDS = {
    "dotnn": lambda folder, out: dotnn("predict", "run", "--input", "in.csv", "-o", out, "--force", folder=folder),
    "script": lambda folder, out: script(
        "predict", "--weights", "run", "--input", "in.npz", "-o", out, "--force", folder=folder
    ),
}


@needs_pipes
@pytest.mark.parametrize("command", COMMANDS)
def test_predictions_into_a_pipe(command, folder, predictions):
    pipe = folder / f"pipe {command}"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    COMMANDS[command](folder, pipe.name)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    reader.join(timeout=30)
    assert read == [predictions]


@pytest.mark.skipif(sys.platform == "win32", reason="other modes")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_a_link_and_a_mode_are_kept(command, ending, folder):
    target, link = folder / f"{command} private.{ending}", folder / f"{command} link.{ending}"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target.name)
    COMMANDS[command](folder, link.name)
    assert link.is_symlink() and stat.S_IMODE(target.stat().st_mode) == 0o600
    content = target.read_bytes()
    assert content.startswith(b"PK" if ending == "npz" else b"p\n")
    if ending == "npz":
        assert np.load(io.BytesIO(content))["p"].shape == (2, 1)
    assert not [path for path in folder.iterdir() if path.name.endswith(".tmp")]


def test_a_device_needs_no_force(folder):
    if os.path.exists("/dev/null"):
        assert dotnn("predict", "run", "--input", "in.csv", "-o", "/dev/null", folder=folder).exit_code == 0


@pytest.mark.parametrize("named", ["animals", "animal.nn", "specs/animals"])
def test_a_spec_that_is_nearly_named(named, tmp_path):
    """The path that is meant is named, and it works."""
    folder = (tmp_path / named).parent
    folder.mkdir(exist_ok=True)
    shutil.copy(SPECS / "xor.nn", folder / "animals.nn")
    said = dotnn("compile", named, "-o", "-", folder=tmp_path)
    meant = said.stderr.partition("did you mean ")[2].partition("?")[0]
    assert said.exit_code == 1 and dotnn("compile", meant, "-o", "-", folder=tmp_path).exit_code == 0
