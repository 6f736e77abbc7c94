"""Folders of images, and tables of other programs: what is read is what Pillow and Polars wrote, on every way."""

import numpy as np
import pytest
from errors.runner import dotnn

from dotnn.running.scripts import load_module
from dotnn.running.spec_files import load_examples
from dotnn.session import Options, compile_spec, front

Image = pytest.importorskip("PIL.Image", reason="needs dotnn[data]")
TARGETS = {"explain": Options("explain"), "fast": Options("fast"), "tensorflow": Options(target="tensorflow")}
SPEC = """
model Flowers {
  input  img: [6, 5, 3]
  target kind: class[3]
  output p = img -> flatten -> dense(4, relu) -> dense(3, softmax)
}
data {
  source = images("flowers", img = image, kind = folder)
  test   = images("held")
  scale  = divide(255, img)
}
train { loss = cross_entropy(p, kind)  optim = adam(0.01)  epochs = 2  batch = 4 }
"""
COMMANDS = [
    ["data", "flowers", "-o", "flowers.npz", "--size", "6", "5"],
    ["data", "held", "-o", "held.npz", "--like", "flowers.npz"],
]


@pytest.fixture
def folder(tmp_path):
    """Images whose pixels are known: of three classes, and a test part that has two of them."""
    rng, known = np.random.default_rng(0), {}
    for part, names in (("flowers", ["rose", "daisy", "tulip"]), ("held", ["tulip", "rose"])):
        for name in names:
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(3):
                pixels = rng.integers(0, 256, (6, 5, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / name / f"{i}.png")
                known[part, name, i] = pixels
    (tmp_path / "flowers" / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "s.nn").write_text(SPEC)
    return tmp_path, known


def expected(known, part):
    """Images and classes in the order of folders and files."""
    some = sorted((key, pixels) for key, pixels in known.items() if key[0] == part)
    classes = ["daisy", "rose", "tulip"]
    return np.array([pixels for _, pixels in some]), np.array([classes.index(name) for (_, name, _), _ in some])


def test_train_reads_the_folders(folder):
    path, known = folder
    arrays, labels = load_examples(front(str(path / "s.nn"))[0])
    assert labels == {"kind": ["daisy", "rose", "tulip"]}
    for part, name in (("train", "flowers"), ("test", "held")):
        images, classes = expected(known, name)
        np.testing.assert_array_equal(arrays["img"][arrays["part"] == part], images)
        np.testing.assert_array_equal(arrays["kind"][arrays["part"] == part], classes)


@pytest.mark.parametrize("target", TARGETS)
def test_scripts_read_what_the_commands_make_that_they_name(target, folder):
    path, known = folder
    for command in COMMANDS:
        outcome = dotnn(*command, folder=path)
        assert outcome.exit_code == 0, outcome.stderr
    (path / "m.py").write_text(compile_spec(str(path / "s.nn"), TARGETS[target]).script)
    arrays = load_module(path / "m.py", None).load_data()
    both = [expected(known, name) for name in ("flowers", "held")]
    np.testing.assert_array_equal(arrays["img"], np.concatenate([images for images, _ in both]))
    np.testing.assert_array_equal(arrays["kind"], np.concatenate([classes for _, classes in both]))


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_prediction_takes_a_folder_an_image_or_the_npz(style, folder):
    path, _ = folder
    assert dotnn("train", "s.nn", "--style", style, "--run", "run", folder=path).exit_code == 0
    for command in COMMANDS:
        dotnn(*command, folder=path)
    of_folder = dotnn("predict", "run", "--input", "held", folder=path).stdout.splitlines()
    assert of_folder[0] == "p_daisy,p_rose,p_tulip,kind" and len(of_folder) == 7
    assert dotnn("predict", "run", "--input", "held.npz", folder=path).stdout.splitlines() == of_folder
    alone = dotnn("predict", "run", "--input", "held/rose/0.png", folder=path).stdout.splitlines()
    (*found, name), (*known, same) = alone[1].split(","), of_folder[1].split(",")
    assert (len(alone), name) == (2, same)
    np.testing.assert_allclose(np.array(found, float), np.array(known, float), rtol=1e-5)


def test_images_are_brought_to_size_and_to_grey(tmp_path):
    (tmp_path / "f" / "a").mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(0, 256, (12, 10, 3), np.uint8)
    image = Image.fromarray(pixels)
    image.save(tmp_path / "f" / "a" / "x.png")
    assert dotnn("data", "f", "-o", "f.npz", "--size", "6", "5", "--channels", "1", folder=tmp_path).exit_code == 0
    known = np.asarray(image.convert("L").resize((5, 6), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(np.load(tmp_path / "f.npz")["image"], known[None, :, :, None])


def broken(path, how):
    first = path / "flowers" / "rose" / "0.png"
    if how == "no image":
        (path / "flowers" / "rose" / "notes.txt").write_text("hello")
        return "notes.txt"
    if how == "cut":
        first.write_bytes(first.read_bytes()[:60])
    if how == "empty":
        first.write_bytes(b"")
    if how == "16 bits":
        Image.fromarray(np.arange(30, dtype=np.uint16).reshape(6, 5)).save(first)
    if how == "link":
        (path.parent / "secret.png").write_bytes(first.read_bytes())
        first.unlink()
        first.symlink_to(path.parent / "secret.png")
    if how == "unknown class":
        (path / "held" / "iris").mkdir()
        return "iris"
    if how == "class too many":
        (path / "flowers" / "iris").mkdir()
        return "flowers"
    if how == "nothing":
        for file in (path / "flowers").rglob("*.png"):
            file.unlink()
        return "flowers"
    return "0.png"


@pytest.mark.parametrize(
    "how", ["no image", "cut", "empty", "16 bits", "link", "unknown class", "class too many", "nothing"]
)
def test_what_cannot_be_read_is_named(how, folder):
    path, _ = folder
    named = broken(path, how)
    outcome = dotnn("train", "s.nn", "--run", "run", folder=path)
    assert outcome.exit_code == 1
    assert (
        outcome.stderr.startswith("error[NN403]") and named in outcome.stderr and outcome.stderr.endswith("1 error\n")
    )


def test_an_output_is_not_overwritten_unasked(folder):
    path, _ = folder
    (path / "flowers.npz").write_bytes(b"mine")
    assert dotnn(*COMMANDS[0], folder=path).exit_code == 1
    assert (path / "flowers.npz").read_bytes() == b"mine"
    assert dotnn(*COMMANDS[0], "--force", folder=path).exit_code == 0


@pytest.mark.parametrize("kind", ["parquet", "arrow", "xlsx"])
def test_tables_of_other_programs(kind, tmp_path):
    polars = pytest.importorskip("polars", reason="needs dotnn[data]")
    pytest.importorskip({"xlsx": "xlsxwriter"}.get(kind, "polars"))
    frame = polars.DataFrame({"a": [1, 2, 3], "b": [0.5, None, 2.5], "city": ["x", "y, z", "x"]})
    writers = {"parquet": frame.write_parquet, "arrow": frame.write_ipc, "xlsx": frame.write_excel}
    writers[kind](tmp_path / f"t.{kind}")
    assert dotnn("data", f"t.{kind}", "-o", "t.csv", folder=tmp_path).exit_code == 0
    assert (tmp_path / "t.csv").read_text() == 'a,b,city\n1,0.5,x\n2,,"y, z"\n3,2.5,x\n'
    outcome = dotnn("data", f"t.{kind}", "-o", "t.npz", folder=tmp_path)
    assert outcome.exit_code == 1 and "city" in outcome.stderr
    (tmp_path / f"t.{kind}").write_bytes((tmp_path / f"t.{kind}").read_bytes()[:100])
    outcome = dotnn("data", f"t.{kind}", "-o", "u.csv", folder=tmp_path)
    assert outcome.exit_code == 1 and outcome.stderr.startswith("error[NN403]: cannot be read")
