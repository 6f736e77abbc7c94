"""Replicas and workers train like one device: the same loss curve and weights, whatever part of a batch each has."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support import model_of

from dotnn.running.scripts import run_script
from dotnn.session import Options, compile_model
from dotnn_runtime.script.cluster import leads_cluster
from dotnn_runtime.script.errors import DataError

# 25 examples in batches of 8: the last batch has one, so that two of three replicas, and one of two workers, have none.
EVERYTHING = """model Everything {
  input  x: [3]
  target t: class[3]
  h = x -> dense(8, tanh, penalty = l2(0.01)) -> batchnorm(momentum = 0.9) -> dropout(0.3)
  g = h -> gaussian_noise(0.1) -> dense(6, relu)
  output p = g -> dense(3, softmax)
}
data { source = npz("data.npz", x = x, t = label)  split = split(train = 70%, val = 30%) }
train {
  loss = cross_entropy(p, t, class_weight = [1, 0.5, 2])
  optim = adam(cosine(0.02))  clip = global_norm(0.3)  batch = 8  epochs = EPOCHS  metrics = [accuracy]
  stop = early(val_loss, patience = 30)  checkpoint = every(1)
}"""
# All 36 examples at once, sums instead of means, and what acts on the weights after the update.
SUMS = """model Sums {
  input  x: [3]
  target u: [2]
  output y = x -> dense(5, prelu, constraint = max_norm(1), penalty = l2(0.1)) -> dense(2)
}
data { source = npz("data.npz", x = x, u = u) }
train {
  loss = mse(y, u, reduce = sum) + 0.3 * huber(y, u)  optim = sgd(plateau(0.01), momentum = 0.9)
  decay = weight_decay(0.01)  clip = value(1)  batch = all  epochs = 5  checkpoint = every(2)
}"""
IMAGES = """model Images {
  input  image: [6, 6, 1]
  target t: class[3]
  layer normed = batchnorm
  h = image -> conv2d(4, 3, bias = false) -> normed -> relu -> maxpool(2) -> flatten
  output p = h -> dense(4, tanh) -> normed -> dense(3, softmax)
}
data { source = npz("data.npz", image = image, t = label)  augment = [shift(1), rotate(20), noise(0.1)] }
train { loss = cross_entropy(p, t)  optim = adam(0.02)  batch = 5  epochs = 2 }"""
SEQUENCES = """model Sequences {
  input  ids: int[5]
  target u: [2]
  h = ids -> embedding(7, 4) -> sequence_dropout(0.3) -> gru(3)
  output y = h -> dense(2)
}
data { source = npz("data.npz", ids = ids, u = u) }
train { loss = mse(y, u)  optim = rmsprop(0.01)  clip = norm(0.1)  batch = 5  epochs = 2 }"""
SPECS = {
    "everything": EVERYTHING.replace("EPOCHS", "40"),
    "sums": SUMS,
    "images": IMAGES,
    "sequences": SEQUENCES,
}
RUNS = [*((name, "float64") for name in SPECS), ("everything", "float32")]
TOLERANCE = {"float64": 1e-11, "float32": 1e-6}


def environment(**more):
    return {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", **more}


@pytest.mark.parametrize("replicas", [-1, 0, 17])
def test_a_number_of_replicas_that_cannot_be_is_refused(replicas):
    script = compile_model(model_of(IMAGES), Options(target="tensorflow", distribute="mirrored")).script
    module = run_script(script, "mirrored")
    with pytest.raises(module.DataError):
        module.make_strategy(replicas)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The scripts, their data, and what they end with on one device and on three replicas."""
    folder = tmp_path_factory.mktemp("distributed")
    rng = np.random.default_rng(0)
    x, image = rng.standard_normal((36, 3)), rng.random((36, 6, 6, 1))
    label, u = (x @ rng.standard_normal((3, 3))).argmax(1), rng.standard_normal((36, 2))
    np.savez(folder / "data.npz", x=x, label=label, u=u, image=image, ids=rng.integers(0, 7, (36, 5)))
    for name, spec in SPECS.items():
        for suffix, kind in (("", ""), ("_mirrored", "mirrored"), ("_workers", "multiworker")):
            options = Options(target="tensorflow", distribute=kind)
            (folder / f"{name}{suffix}.py").write_text(compile_model(model_of(spec), options).script, encoding="utf-8")
    program = Path(__file__).with_name("side_by_side.py")
    words = [word for run in RUNS for word in run]
    subprocess.run([sys.executable, program, folder, *words], check=True, env=environment())
    return folder


def assert_same_run(out, expected, tolerance):
    """Compare a folder that `train --out` wrote with what the script ended with on one device."""
    whole = dict(np.load(expected))
    _, *rows = csv.reader((out / "history.csv").read_text().splitlines())
    np.testing.assert_allclose(np.array(rows, float), whole.pop("history"), rtol=0, atol=tolerance)
    params = dict(np.load(out / "weights.npz"))
    assert params.keys() == whole.keys()
    for key, value in whole.items():
        np.testing.assert_allclose(params[key], value, rtol=0, atol=tolerance, err_msg=key)


@pytest.mark.parametrize(("name", "precision"), RUNS)
def test_replicas_train_like_one_device(name, precision, folder):
    assert_same_run(folder / f"{name}_{precision}", folder / f"{name}_{precision}.npz", TOLERANCE[precision])


class Workers:
    """Two processes on this machine that train together."""

    def __init__(self, script, *arguments):
        sockets = [socket.create_server(("localhost", 0)) for _ in range(2)]
        hosts = [f"localhost:{s.getsockname()[1]}" for s in sockets]
        for s in sockets:
            s.close()
        command = [sys.executable, script, "train", "--precision", "float64", *map(str, arguments)]
        self.processes = []
        for index in range(2):
            config = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
            self.processes.append(
                subprocess.Popen(
                    command, env=environment(TF_CONFIG=json.dumps(config)), text=True, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            )  # fmt: skip

    def end(self):
        """Wait for both; return what they wrote to stdout and stderr, and the exit codes."""
        texts = [process.communicate(timeout=120) for process in self.processes]
        return texts, [process.returncode for process in self.processes]


def test_two_workers_train_like_one_process(folder):
    """One is killed: the other ends with a message instead of waiting; resumed, both end where one process ends.

    Only the chief reports and writes.
    """
    out = folder / "two_workers"
    first = Workers(folder / "everything_workers.py", "--out", out)
    limit = time.monotonic() + 120
    while not (out / "checkpoint.npz").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    first.processes[1].send_signal(signal.SIGKILL)
    texts, codes = first.end()
    assert codes == [1, -signal.SIGKILL], texts
    assert "error: another worker has stopped: start all of them again with --resume" in texts[0][1]
    assert not (out / "weights.npz").exists()
    texts, codes = Workers(folder / "everything_workers.py", "--out", out, "--resume").end()
    assert codes == [0, 0], texts
    assert "stopped by epochs after 40 epochs" in texts[0][0] and texts[1][0] == ""
    assert {path.name for path in out.iterdir()} == {"weights.npz", "model.keras", "history.csv", "checkpoint.npz"}
    assert_same_run(out, folder / "everything_float64.npz", TOLERANCE["float64"])


def cluster(task="worker", index=0, **hosts):
    return json.dumps({"cluster": hosts or {"worker": ["a:1", "b:1"]}, "task": {"type": task, "index": index}})


@pytest.mark.parametrize(
    ("config", "leads"),
    [
        (cluster(), True),
        (cluster(index=1), False),
        (cluster(chief=["c:1"], worker=["a:1"]), False),
        (cluster("chief", chief=["c:1"], worker=["a:1"]), True),
    ],
)
def test_who_leads(config, leads):
    assert leads_cluster(config) is leads


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "TF_CONFIG is not set"),
        ("{'cluster'", "does not describe a cluster"),
        ("[]", "does not describe a cluster"),
        ('{"cluster": 3, "task": {"type": "worker", "index": 0}}', "does not describe a cluster"),
        (cluster(worker=3), "does not describe a cluster"),
        (cluster(worker=["a", "b:1"]), "host:port"),
        (cluster(index=2), "worker 2, but the cluster has: worker 0, worker 1"),
        (cluster(index="0"), "this is worker 0"),
        (cluster("chief"), "this is chief 0"),
        (cluster(ps=["a:1"], worker=["a:1"]), "no part in this training: ps"),
    ],
)
def test_a_cluster_that_cannot_be_used(config, message):
    with pytest.raises(DataError, match=message):
        leads_cluster(config)
