import json

import numpy as np
import pytest

from dotnn_runtime.run_folder import RunFolder, RunFolderError, fresh_run_dir
from dotnn_runtime.script.data import DataError
from dotnn_runtime.script.scaling import fit_range


def create(path, **options):
    return RunFolder.create(path, version="1.2.3", **options)


def test_a_whole_run(tmp_path):
    run = create(tmp_path / "a" / "b", info={"seed": 7})
    scaling = {"d": fit_range(np.array([[1.0], [4.0]]))}
    run.write_spec("model M {}\n")
    run.write_script("print('ü')\n")
    run.write_weights({"h.W": np.ones((2, 1), np.float32)})
    run.write_scaling(scaling)
    run.write_history([{"epoch": 1, "loss": 0.5}])
    run.write_history([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4}])
    run.write_metrics({"loss": 0.4})
    run.write_labels({"y": ("a", "b")})
    run.write_picture("loss", "<svg/>")
    run.write_bytes("checkpoint.npz", b"")
    again = RunFolder.open(run.path)
    assert again.files == run.files == (
        "spec.nn", "model.py", "weights.npz", "scaling.json", "history.csv", "metrics.json", "labels.json", "loss.svg",
        "checkpoint.npz",
    )  # fmt: skip
    assert {file.name for file in run.path.iterdir()} == {*run.files, "run.json"}
    assert set(again.manifest.pop("tables")) == {"scaling.json", "labels.json"}
    assert again.manifest | {"files": []} == {"written_by": "dotnn", "version": "1.2.3", "files": [], "seed": 7}
    assert (run.path / "history.csv").read_text() == "epoch,loss\n1,0.5\n2,0.4\n"
    assert again.read_weights({"h.W": (2, 1)})["h.W"].dtype == np.float32
    assert again.read_labels() == {"y": ["a", "b"]}
    np.testing.assert_array_equal(
        again.read_scaling({"d": {"shift": (1,), "scale": (1,)}})["d"]["scale"], scaling["d"]["scale"]
    )


def test_a_run_without_scaling_and_labels(tmp_path):
    run = create(tmp_path / "run")
    assert (run.read_scaling({}), run.read_labels()) == ({}, {})


def test_an_empty_folder_is_taken_and_one_in_use_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    create(tmp_path / "empty")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(RunFolderError, match="not empty and not a run") as caught:
            create(tmp_path / "used", overwrite=overwrite)
        assert caught.value.path == tmp_path / "used"
        assert caught.value.help
    assert [file.name for file in (tmp_path / "used").iterdir()] == ["thesis.tex"]


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot be made"):
        create(tmp_path / "file")


def test_a_run_is_only_overwritten_on_demand_and_only_its_own_files(tmp_path):
    run = create(tmp_path / "run")
    run.write_labels({"y": ["a"]})
    (run.path / "notes.txt").write_text("mine")
    (run.path / "model.py").write_text("mine")
    with pytest.raises(RunFolderError, match="already holds a run"):
        create(run.path)
    again = create(run.path, overwrite=True)
    assert {file.name for file in run.path.iterdir()} == {"run.json", "notes.txt", "model.py"}
    with pytest.raises(RunFolderError, match=r"model.py already exists and was not written by dotnn"):
        again.write_script("new")
    assert (run.path / "model.py").read_text() == "mine"


@pytest.mark.parametrize("name", ["../x", "a/b", "", "..", "run.json", "/etc/x", "a\\b"])
def test_no_name_leads_out_of_the_run(tmp_path, name):
    run = create(tmp_path / "run")
    with pytest.raises(RunFolderError, match="cannot be the name"):
        run.write_bytes(name, b"")
    (tmp_path / "x").write_text("mine")
    (run.path / "run.json").write_text(json.dumps({"written_by": "dotnn", "version": "1", "files": [name]}))
    with pytest.raises(RunFolderError, match="not written by dotnn"):
        create(run.path, overwrite=True)
    assert (tmp_path / "x").read_text() == "mine"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"written_by": "dotnn"}', '{"files": []}'])
def test_a_foreign_manifest_is_no_run(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunFolderError):
        RunFolder.open(tmp_path)
    with pytest.raises(RunFolderError):
        create(tmp_path, overwrite=True)
    assert (tmp_path / "run.json").read_text() == content


def test_open_needs_a_run(tmp_path):
    with pytest.raises(RunFolderError, match=r"there is no run.json"):
        RunFolder.open(tmp_path)
    with pytest.raises(RunFolderError, match=r"there is no such folder"):
        RunFolder.open(tmp_path / "none")


def test_damaged_labels_are_refused(tmp_path):
    run = create(tmp_path / "run")
    run.write_labels({})
    (run.path / "labels.json").write_text('{"y": 3}')
    with pytest.raises(DataError, match="labels must read"):
        run.read_labels()


def test_the_next_free_folder(tmp_path):
    assert fresh_run_dir(tmp_path, "xor") == tmp_path / "xor"
    (tmp_path / "xor").mkdir()
    (tmp_path / "xor-2").symlink_to("nowhere")
    assert fresh_run_dir(tmp_path, "xor") == tmp_path / "xor-3"
