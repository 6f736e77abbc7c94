"""Files of definitions: what a spec says alone and with its definitions elsewhere is the same, and a run keeps them."""

import json
import os
import shutil

import numpy as np
import pytest
from errors.runner import dotnn
from support import as_module

from dotnn.core.diagnostics import CompileError
from dotnn.model.identity import training_identity
from dotnn.session import Compilation, Options

NETWORK = """model M {
  input  x: [3]
  target t: [1]
  output y = x -> Wide(4) -> soft(2) -> dense(1)
}
data { x = [[1, 0, 2], [0, 1, 1], [2, 2, 0]]  t = [[1], [0], [1]] }
train { loss = mse(y, t)  optim = slow(0.1)  init = small  epochs = 3  checkpoint = every(1) }
"""
ACTIVATION = "activation soft(z, k = 1) = z / (k + abs(z))\n"
BLOCK = """block Wide(n) {
  input x: [m]
  output x -> dense(n, soft) -> dense(m, twice)
}
"""
OTHERS = """activation twice(z) = 2 * z
init small(sd = 0.5) = normal(sd) / n_in
optimizer slow(lr = 0.1) {
  slot v = 0
  v = 0.5 * v + g
  w = w - lr * v
}
"""


@pytest.fixture
def folder(tmp_path):
    """A spec that uses two files, one of which uses the third, twice."""
    spec = tmp_path / "spec"
    (spec / "lib" / "deep").mkdir(parents=True)
    (spec / "net.nn").write_text(f'use "lib/block.nn"\nuse "lib/deep/others.nn"\n{NETWORK}')
    (spec / "lib" / "block.nn").write_text(f'# A block.\nuse "deep/others.nn"\nuse "soft.nn"\n\n{BLOCK}')
    (spec / "lib" / "soft.nn").write_text(ACTIVATION)
    (spec / "lib" / "deep" / "others.nn").write_text(OTHERS)
    (spec / "alone.nn").write_text(ACTIVATION + BLOCK + OTHERS + NETWORK)
    return spec


def module_of(path, style):
    return as_module(Compilation.read(str(path)).script("numpy", style), path)


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_it_is_the_same_network(folder, style):
    one, other = (module_of(folder / name, style).train() for name in ("net.nn", "alone.nn"))
    for name, w in one[0].items():
        np.testing.assert_array_equal(w, other[0][name], strict=True)


def test_a_definition_says_the_same_wherever_it_stands(tmp_path):
    """What scripts write of a formula is the text of the file that it stands in."""
    formulas = "loss fourth(y, t) = mean((y - t)^4)  # steep\nmetric off(y, t) = mean(abs(y - t))\n"
    network = (
        NETWORK.replace("Wide(4) -> soft(2) -> ", "")
        .replace("mse", "fourth")
        .replace("optim = slow(0.1)  init = small", "metrics = [off]")
    )
    (tmp_path / "formulas.nn").write_text(formulas)
    (tmp_path / "net.nn").write_text(f'use "formulas.nn"\n{network}')
    (tmp_path / "alone.nn").write_text(formulas + network)
    apart, alone = (Compilation.read(str(tmp_path / name)).model.train for name in ("net.nn", "alone.nn"))
    assert apart.losses[0].loss.equation == alone.losses[0].loss.equation == "fourth(y, t) = mean((y - t)^4)"
    assert apart.metrics[0].metric.equation == alone.metrics[0].metric.equation == "off(y, t) = mean(abs(y - t))"


def test_the_identity_covers_what_is_used(folder):
    """And nothing else: a comment in a used file, or a definition that nothing uses, changes no training."""

    def identity(name="net.nn"):
        return training_identity(Compilation.read(str(folder / name)).model, "numpy", "fast")

    first = identity()
    assert identity("alone.nn") == first
    (folder / "lib" / "soft.nn").write_text(f"# Another comment.\n{ACTIVATION}activation unused(z) = z\n")
    assert identity() == first
    for file, old, new in (
        ("soft.nn", "k + abs", "k + 2 * abs"),
        ("deep/others.nn", "0.5 * v", "0.6 * v"),
        ("deep/others.nn", "/ n_in", "/ n_out"),
        ("block.nn", "dense(n, soft)", "dense(n, soft(3))"),
    ):
        path = folder / "lib" / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        assert identity() != first
        path.write_text(text)


def test_the_places_are_those_of_the_files(folder):
    """Of a step in a block, its own line; so the validator, the errors of a training and the script all name it."""
    source = Compilation.read(str(folder / "net.nn")).model.source
    model = Compilation.read(str(folder / "net.nn")).model
    places = {source.place(step.span) for step in model.steps}
    assert places == {"line 7 of block.nn", "line 6 of net.nn"}


def test_a_run_keeps_what_is_used(folder, tmp_path):
    """Under its own name, so that the spec in the run folder compiles; a run that replaces it leaves nothing behind."""
    run = tmp_path / "run"
    assert dotnn("train", "net.nn", "--run", str(run), folder=folder).exit_code == 0
    kept = {path.relative_to(run).as_posix() for path in run.rglob("*.nn")}
    assert kept == {"spec.nn", "lib/block.nn", "lib/soft.nn", "lib/deep/others.nn"}
    assert kept <= {*json.loads((run / "run.json").read_text())["files"]}
    again = Compilation.read(str(run / "spec.nn")).model
    assert training_identity(again, "", "") == training_identity(Compilation.read(str(folder / "net.nn")).model, "", "")
    (folder / "lib" / "mine.txt").write_text("stays")
    (run / "lib" / "mine.txt").write_text("stays")
    assert dotnn("train", "alone.nn", "--run", str(run), "--overwrite", folder=folder).exit_code == 0
    assert {path.relative_to(run).as_posix() for path in run.rglob("*.nn")} == {"spec.nn"}
    assert (run / "lib" / "mine.txt").read_text() == "stays" and not (run / "lib" / "deep").exists()


def test_a_run_with_other_definitions_is_another_run(folder, tmp_path):
    """What differs is named, though the spec itself is the same."""
    run = tmp_path / "run"
    assert dotnn("train", "net.nn", "--run", str(run), folder=folder).exit_code == 0
    assert dotnn("train", "net.nn", "--run", str(run), "--resume", "--epochs", "5", folder=folder).exit_code == 0
    others = folder / "lib" / "deep" / "others.nn"
    others.write_text(OTHERS.replace("0.5 * v", "0.25 * v"))
    refused = dotnn("train", "net.nn", "--run", str(run), "--resume", "--epochs", "6", folder=folder)
    assert refused.exit_code == 1
    assert "the spec said v = 0.5 * v + g, it now says v = 0.25 * v + g" in refused.stderr


def test_a_file_called_as_the_copy_of_the_spec(folder, tmp_path):
    shutil.move(folder / "lib" / "soft.nn", folder / "spec.nn")
    text = (folder / "lib" / "block.nn").read_text().replace('use "soft.nn"', 'use "../spec.nn"')
    (folder / "lib" / "block.nn").write_text(text)
    assert dotnn("compile", "net.nn", "-o", "-", folder=folder).exit_code == 0
    refused = dotnn("train", "net.nn", "--run", str(tmp_path / "run"), folder=folder)
    assert refused.exit_code == 1 and "NN504" in refused.stderr


def test_links_lead_nowhere(folder, tmp_path):
    """A link is followed, and what it leads to must lie in the folder of the spec."""
    secret = tmp_path / "secret.nn"
    secret.write_text(ACTIVATION)
    (folder / "lib" / "soft.nn").unlink()
    (folder / "lib" / "soft.nn").symlink_to(secret)
    with pytest.raises(CompileError, match="NN402"):
        Compilation.read(str(folder / "net.nn")).model  # noqa: B018
    (folder / "lib" / "soft.nn").unlink()
    (folder / "lib" / "real.nn").write_text(ACTIVATION)
    (folder / "lib" / "soft.nn").symlink_to(folder / "lib" / "real.nn")
    Compilation.read(str(folder / "net.nn")).script("numpy", "fast")
    (folder / "lib" / "soft.nn").unlink()
    os.mkfifo(folder / "lib" / "soft.nn")
    with pytest.raises(CompileError, match="NN239"):
        Compilation.read(str(folder / "net.nn")).model  # noqa: B018


def test_a_run_folder_with_a_link_is_not_left(folder, tmp_path):
    elsewhere, run = tmp_path / "elsewhere", tmp_path / "run"
    elsewhere.mkdir()
    assert dotnn("train", "alone.nn", "--run", str(run), folder=folder).exit_code == 0
    (run / "lib").symlink_to(elsewhere)
    refused = dotnn("train", "net.nn", "--run", str(run), "--overwrite", folder=folder)
    assert refused.exit_code == 1 and "NN504" in refused.stderr
    assert not [*elsewhere.iterdir()]


def test_there_is_an_end_to_it(tmp_path):
    """A hundred files that use each other in a row are read; one more is refused, as is a file larger than a spec."""
    for count, refused in ((100, False), (101, True)):
        for number in range(count):
            more = f'use "f{number + 1}.nn"\n' if number + 1 < count else ""
            (tmp_path / f"f{number}.nn").write_text(f"{more}activation a{number}(z) = z\n")
        text = f'use "f0.nn"\n{NETWORK}'.replace("Wide(4) -> soft(2)", "a99").replace("slow(0.1)", "sgd(0.1)")
        (tmp_path / "net.nn").write_text(text.replace("init = small", "init = he"))
        if refused:
            with pytest.raises(CompileError, match="NN231"):
                Compilation.read(str(tmp_path / "net.nn")).model  # noqa: B018
        else:
            Compilation.read(str(tmp_path / "net.nn")).compiled(Options())
