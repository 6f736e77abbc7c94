"""Run folders: one training at a time, weights of the network they belong to, and what Ctrl-C keeps."""

import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from errors.runner import dotnn
from support import SPECS

from dotnn_runtime.script.lock import locked

SPEC = """
model M {{ input x: [2]  target t: [1]  output p = x -> dense(2, {act}) -> dense(1) }}
data {{ x = [[0, 1], [1, 0], [2, 2]]  t = [[1], [2], [3]] }}
train {{ loss = mse(p, t)  epochs = 9 {more} }}
"""
HOLDER = """
import time
from dotnn_runtime.script.lock import locked
with locked("run"):
    print(flush=True)
    time.sleep(60)
"""


def write(folder, act="tanh", more="", name="s.nn"):
    (folder / name).write_text(SPEC.format(act=act, more=more))


@pytest.fixture
def folder(tmp_path):
    write(tmp_path)
    np.savez(tmp_path / "in.npz", x=[[1.0, 2.0]])
    return tmp_path


def test_a_folder_is_locked_while_it_is_trained_in_and_no_longer(folder):
    """The process that holds the lock is killed: nothing of the lock is left."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], cwd=folder, stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        refused = dotnn("train", "s.nn", "--run", "run", folder=folder)
        assert dotnn("compile", "s.nn", "--style", "fast", folder=folder).exit_code == 0
        command = [sys.executable, "s.py", "train", "--out", "run"]
        script = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    finally:
        holder.kill()
        holder.communicate()
    assert refused.exit_code == 1 and "error[NN504]" in refused.stderr and "another process" in refused.stderr
    assert script.returncode == 1 and "another process" in script.stderr
    assert os.listdir(folder / "run") == []
    assert dotnn("train", "s.nn", "--run", "run", folder=folder).exit_code == 0


def test_where_the_system_has_no_locks_training_goes_on(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with locked(folder), locked(folder):
        pass


def test_weights_of_another_network_are_refused(folder):
    """Though names and shapes are the same; those of one's own, without a digest, are taken."""
    write(folder, act="relu", name="r.nn")
    for name in ("s", "r"):
        assert dotnn("train", f"{name}.nn", "--run", name, folder=folder).exit_code == 0
    right = dotnn("predict", "s", "--input", "in.npz", folder=folder).stdout
    with np.load(folder / "s/weights.npz") as stored:
        own = dict(stored)
    shutil.copy(folder / "r/weights.npz", folder / "s/weights.npz")
    mixed = dotnn("predict", "s", "--input", "in.npz", folder=folder)
    assert mixed.exit_code == 1 and "error[NN403]" in mixed.stderr and "another network" in mixed.stderr
    command = [sys.executable, "s/model.py", "predict", "--weights", "r", "--input", "in.npz"]
    by_script = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert by_script.returncode == 1 and "another network" in by_script.stderr and not by_script.stdout
    np.savez(folder / "s/weights.npz", **own)
    assert dotnn("predict", "s", "--input", "in.npz", folder=folder).stdout == right


def test_best_weights_are_those_of_the_network(folder):
    """best.npz takes the place of weights.npz where a person puts it there."""
    write(folder, more="checkpoint = every(1, keep = best)")
    assert dotnn("train", "s.nn", "--run", "run", folder=folder).exit_code == 0
    shutil.copy(folder / "run/best.npz", folder / "run/weights.npz")
    assert dotnn("predict", "run", "--input", "in.npz", folder=folder).exit_code == 0


def interrupted_after(epoch, monkeypatch):
    """Press Ctrl-C in the middle of the training, once an epoch has ended."""
    from dotnn_runtime.progress import TrainingProgress

    real = TrainingProgress.__call__

    def call(self, record, params=None):
        real(self, record, params)
        if record["epoch"] == epoch:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(TrainingProgress, "__call__", call)


@pytest.mark.parametrize("more", ["", "checkpoint = every(1)"])
def test_ctrl_c_and_json(more, folder, monkeypatch):
    """One object with the figures so far, with and without a checkpoint; a resumed run counts all of its epochs."""
    write(folder, more=more)
    command = ["train", "s.nn", "--run", "run", "--json"]
    whole = json.loads(dotnn("train", "s.nn", "--run", "whole", "--json", folder=folder).stdout)
    for epoch in (4, 6) if more else (4,):
        with monkeypatch.context() as patch:
            interrupted_after(epoch, patch)
            outcome = dotnn(*command, *(["--resume"] if more else []), folder=folder)
        result = json.loads(outcome.stdout)
        assert (outcome.exit_code, result["stopped_by"], result["epochs"]) == (1, "Ctrl-C", epoch)
        assert result.keys() == whole.keys() and result["loss"] > whole["loss"]


def test_ctrl_c_before_the_first_epoch(folder, monkeypatch):
    monkeypatch.setattr("dotnn.commands.training.prepare.load_examples", lambda *_: signal.raise_signal(signal.SIGINT))
    outcome = dotnn("train", "s.nn", "--run", "run", "--json", folder=folder)
    assert outcome.exit_code == 1 and json.loads(outcome.stdout) == {"stopped_by": "Ctrl-C"}


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_ctrl_c_keeps_what_there_is(style, folder, monkeypatch):
    """The very weights of a training of so many epochs, and the command can be given again."""
    options = ["--style", style]
    assert dotnn("train", "s.nn", "--run", "four", "--epochs", "4", *options, folder=folder).exit_code == 0
    with monkeypatch.context() as patch:
        interrupted_after(4, patch)
        outcome = dotnn("train", "s.nn", "--run", "run", *options, folder=folder)
    assert outcome.exit_code == 1 and "checkpoint = every(1)" in outcome.stderr
    for name in ("weights.npz", "history.csv"):
        assert (folder / "run" / name).read_bytes() == (folder / "four" / name).read_bytes()
    assert json.loads((folder / "run/metrics.json").read_text())["stopped_by"] == "Ctrl-C"
    assert dotnn("predict", "run", "--input", "in.npz", folder=folder).exit_code == 0
    assert dotnn("train", "s.nn", "--run", "run", "--overwrite", *options, folder=folder).exit_code == 0


def test_ctrl_c_with_checkpoints_says_how_to_go_on(folder, monkeypatch):
    write(folder, more="checkpoint = every(2)")
    assert dotnn("train", "s.nn", "--run", "whole", folder=folder).exit_code == 0
    with monkeypatch.context() as patch:
        interrupted_after(5, patch)
        outcome = dotnn("train", "s.nn", "--run", "run", folder=folder)
    assert outcome.exit_code == 1 and "--resume" in outcome.stderr
    assert dotnn("train", "s.nn", "--run", "run", "--resume", folder=folder).exit_code == 0
    assert (folder / "run/weights.npz").read_bytes() == (folder / "whole/weights.npz").read_bytes()


def test_what_was_set_is_written_down(tmp_path):
    shutil.copy(SPECS / "xor.nn", tmp_path / "xor.nn")
    sets = ["--set", "hidden=8", "--set", "lr=0.25"]
    outcome = dotnn("train", "xor.nn", "--run", "run", "--epochs", "2", *sets, "--json", folder=tmp_path)
    for said in (outcome.stdout, (tmp_path / "run/metrics.json").read_text(), (tmp_path / "run/run.json").read_text()):
        assert json.loads(said)["set"] == {"hidden": 8, "lr": 0.25}


def test_leftovers_of_others_stay(folder):
    """Only what dotnn itself may have left half written is removed."""
    (folder / "run").mkdir()
    for name in ("run.json.12.tmp", "weights.npz.7.tmp", "model.keras.7.tmp.keras"):
        (folder / "run" / name).write_text("half")
    assert dotnn("train", "s.nn", "--run", "run", folder=folder).exit_code == 0
    assert not [name for name in os.listdir(folder / "run") if "tmp" in name]
    (folder / "other").mkdir()
    for name in ("thesis.12.tmp", "model.py.12.tmp"):
        (folder / "other" / name).write_text("mine")
    assert dotnn("train", "s.nn", "--run", "other", folder=folder).exit_code == 1
    assert sorted(os.listdir(folder / "other")) == ["model.py.12.tmp", "thesis.12.tmp"]


def test_an_edited_script_is_not_written_over(folder):
    write(folder, more="checkpoint = every(2)")
    assert dotnn("train", "s.nn", "--run", "run", "--epochs", "4", folder=folder).exit_code == 0
    edited = (folder / "run/model.py").read_text().replace("np.tanh(", "np.sin(")
    (folder / "run/model.py").write_text(edited)
    outcome = dotnn("train", "s.nn", "--run", "run", "--resume", folder=folder)
    assert outcome.exit_code == 1 and "error[NN505]" in outcome.stderr
    assert (folder / "run/model.py").read_text() == edited
    assert "was edited since dotnn wrote it" in dotnn("predict", "run", "--input", "in.npz", folder=folder).stderr
