"""Every spec of the repository: it compiles in every style, its gradients are right, and it trains."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support import IN_TURN, ROOT, SPECS, STYLES, assert_gradients, compiled, generic_point, script_of

from dotnn.cli import main
from dotnn.session import Compilation, front, read_source
from dotnn.syntax.pretty import format_source
from dotnn_runtime.gradcheck import Verdict, check_script

EPOCHS = 10
ISOLATED = """
import os, runpy, sys
sys.path.insert(0, sys.argv[1])
scripts = sys.argv[2:]
for script in scripts:
    os.chdir(os.path.dirname(script))
    sys.argv = [script, "check"]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        if end.code:
            sys.exit(f"{script}: {end.code}")
print(len(scripts), "scripts checked")
"""
DIGESTS = """
import hashlib, sys
from dotnn.session import Options, compile_spec
for style in sys.argv[1].split():
    for path in sys.argv[2:]:
        print(hashlib.sha256(compile_spec(path, Options(style)).script.encode()).hexdigest())
"""


def test_is_formatted(path):
    source = read_source(str(path))
    assert format_source(source) == source.text


def test_compiles_without_a_warning(path):
    assert front(str(path))[1] == ()


def test_gradients_are_the_complex_step_s(path, style):
    if path.stem in IN_TURN:
        pytest.skip("each section has gradients of its own")
    module = script_of(path, style, input_gradients=True)
    params, batch = generic_point(module)
    assert_gradients(module, params, batch, rng_seed=1)


def test_the_styles_agree(path):
    modules = [script_of(path, style) for style in STYLES]
    for examples in (5, 1, 8, 5):  # workspaces must follow the size of the batch
        params, batch = generic_point(modules[0], seed=examples, examples=examples)
        (loss, grads), *others = [m.loss_and_grads(params, batch, rng=np.random.default_rng(2)) for m in modules]
        for other_loss, other_grads in others:
            np.testing.assert_allclose(other_loss, loss, rtol=1e-12)
            assert list(other_grads) == list(grads)
            largest = max(np.abs(grad).max() for grad in grads.values())
            for name, grad in grads.items():
                zero = name in getattr(modules[0], "STRUCTURAL_ZEROS", ())  # but for rounding
                atol = 1e-12 * max(largest if zero else np.abs(grad).max(), 1e-300)
                np.testing.assert_allclose(other_grads[name], grad, rtol=0, atol=atol, err_msg=name)


def test_the_styles_train_alike(path):
    runs = [script_of(path, style).train(epochs=2, dtype=np.float64) for style in STYLES]
    (params, history), *others = runs
    for other_params, other_history in others:
        for record, other in zip(history, other_history, strict=True):
            assert record.keys() == other.keys()
            np.testing.assert_allclose(list(other.values()), list(record.values()), rtol=1e-9, atol=1e-12)
        for name, w in params.items():
            np.testing.assert_allclose(other_params[name], w, rtol=1e-8, atol=1e-10, err_msg=name)


def test_passes_the_validator(path, style):
    parts = [*Compilation.read(str(path)).parts.values()] if path.stem in IN_TURN else []
    scripts = [part.alone.script(style=style, input_gradients=True) for part in parts]
    for script in scripts or [compiled(path, style, input_gradients=True).script]:
        assert check_script(script, path.with_suffix(".py").name).verdict is Verdict.PASS


def test_the_scripts_need_numpy_only(style, tmp_path, only_numpy):
    """Each in a folder of its own, one after the other in an interpreter that finds nothing else."""
    for path in SPECS.glob("**/*.nn"):
        script = tmp_path / path.stem / "model.py"
        script.parent.mkdir()
        script.write_text(compiled(path, style).script)
    scripts = sorted(str(script) for script in tmp_path.glob("*/model.py"))
    command = [sys.executable, "-I", "-S", "-B", "-W", "error", "-c", ISOLATED, str(only_numpy), *scripts]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == f"{len(scripts)} scripts checked"
    assert {name for folder in tmp_path.iterdir() for name in os.listdir(folder)} == {"model.py"}


def test_training_lowers_the_loss(path, style):
    module = script_of(path, style)
    parts, scaling = module.prepare(module.load_data())
    start = module.evaluate(module.init_params(module.SEED), parts["train"], scaling)["loss"]
    params, history = module.train(epochs=EPOCHS)
    assert all(w.dtype == np.float32 for w in params.values())
    assert all(np.isfinite(value) for record in history for value in record.values())
    assert history[-1]["loss"] < start or start == 0
    assert [record["epoch"] for record in history] == list(range(1, len(history) + 1))


def test_same_seed_same_result(path, style):
    results = [script_of(path, style).train(epochs=2) for _ in range(2)]
    assert list(results[0][1]) == list(results[1][1])
    for name, w in results[0][0].items():
        np.testing.assert_array_equal(w, results[1][0][name])


def test_training_goes_on_where_it_was(path, style):
    """Given parameters are the start, and the caller's arrays stay as they are."""
    module = script_of(path, style)
    start = module.init_params(5)
    copies = {name: w.copy() for name, w in start.items()}
    data = module.load_data()
    rows = {name: values.copy() for name, values in data.items()}
    module.train(data, epochs=1, params=start)
    for name, w in copies.items():
        np.testing.assert_array_equal(start[name], w)
    for name, values in rows.items():
        np.testing.assert_array_equal(data[name], values)


def test_the_command_line(path, tmp_path):
    """`train` and `predict` in a fresh folder, for the spec where it stands."""
    run = str(tmp_path / "run")
    trained = CliRunner().invoke(
        main, ["train", str(path), "--style", STYLES[-1], "--epochs", "2", "--json", "--run", run]
    )
    assert trained.exit_code == 0, trained.output
    result = json.loads(trained.stdout)
    assert result["epochs"] <= 2
    module = script_of(path)
    data = module.load_data()
    inputs, table = tmp_path / "inputs.npz", tmp_path / "outputs.npz"
    count = min(7, len(data[next(iter(module.INPUTS))]))
    if hasattr(module, "RAW_INPUTS"):  # texts come from a table alone: here from the whole one
        inputs = path.parent / compiled(path).model.data.source.path
        count = len(data[next(iter(module.INPUTS))])
    else:
        source = compiled(path).model.data.source
        keys = {n: k for n, (k, *_) in source.fields.items()} if source and source.entry.converted else {}
        np.savez(inputs, **{keys.get(name, name): data[name][:7] for name in module.INPUTS})
    predicted = CliRunner().invoke(main, ["predict", run, "--input", str(inputs), "-o", str(table)])
    assert predicted.exit_code == 0, predicted.output
    with np.load(table) as outputs:
        for name, shape in module.OUTPUTS.items():
            assert outputs[name].shape == (count, *shape)


def test_same_input_same_bytes():
    """Whatever the order of Python's hashes: that of this process is another."""
    paths = [str(path) for path in sorted(SPECS.glob("**/*.nn"))]
    command = [sys.executable, "-c", DIGESTS, " ".join(STYLES), *paths]
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT}/compiler{os.pathsep}{ROOT}/runtime"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    here = [compiled(Path(path), style).script for style in STYLES for path in paths]
    assert done.stdout.split() == [hashlib.sha256(script.encode()).hexdigest() for script in here]
