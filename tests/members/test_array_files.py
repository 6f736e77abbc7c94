"""Arrays with a file each, .npy and IDX: what is read is what was written, in every script, and in a prediction."""

import gzip
import struct

import numpy as np
import pytest
from errors.runner import dotnn

from dotnn.running.scripts import load_module
from dotnn.running.spec_files import load_examples
from dotnn.session import Options, compile_spec, front
from dotnn_runtime.script.array_files import read_idx, read_npy
from dotnn_runtime.script.errors import DataError

TARGETS = {"explain": Options("explain"), "fast": Options("fast"), "tensorflow": Options(target="tensorflow")}
MNIST = """
model Mnist {
  input  image: [28, 28, 1]
  target digit: class[10]
  output p = image -> maxpool(7) -> flatten -> dense(10, softmax)
}
data {
  image = idx("train-images-idx3-ubyte.gz")
  digit = idx("train-labels-idx1-ubyte.gz")
  test  = arrays(image = idx("t10k-images-idx3-ubyte"), digit = idx("t10k-labels-idx1-ubyte"))
  scale = divide(255, image)
  split = split(val = 25%, seed = 3)
}
train { loss = cross_entropy(p, digit)  optim = adam(0.01)  batch = 16  epochs = 2  metrics = accuracy }
"""
RNG = np.random.default_rng(0)
IMAGES, DIGITS = RNG.integers(0, 256, (60, 28, 28), np.uint8), RNG.integers(0, 10, 60).astype(np.uint8)
TYPES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx_bytes(array):
    """An IDX file, as LeCun's page describes it."""
    head = struct.pack(">BBBB", 0, 0, TYPES[array.dtype.str[1:]], array.ndim)
    return (
        head
        + b"".join(struct.pack(">i", n) for n in array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def owners(array):
    """The arrays that an array is a view of."""
    while isinstance(array, np.ndarray):
        yield array
        array = array.base


@pytest.fixture
def mnist(tmp_path):
    for name, some in (("train", slice(0, 40)), ("t10k", slice(40, None))):
        for what, array in (("images-idx3", IMAGES[some]), ("labels-idx1", DIGITS[some])):
            content = idx_bytes(array)
            packed = name == "train"
            (tmp_path / f"{name}-{what}-ubyte{'.gz' * packed}").write_bytes(
                gzip.compress(content) if packed else content
            )
    (tmp_path / "s.nn").write_text(MNIST)
    return tmp_path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", TYPES)
def test_every_type_of_idx_reads_back(kind, packed, tmp_path):
    array = (RNG.normal(size=(3, 4, 5)) * 50).astype(kind)
    content = idx_bytes(array)
    (tmp_path / "a").write_bytes(gzip.compress(content) if packed else content)
    found = read_idx(tmp_path / "a")
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("target", TARGETS)
def test_scripts_read_the_digits_and_their_test_part(target, mnist):
    (mnist / "m.py").write_text(compile_spec(str(mnist / "s.nn"), TARGETS[target]).script)
    module = load_module(mnist / "m.py", None)
    raw = module.load_data()
    np.testing.assert_array_equal(np.asarray(raw["image"]).reshape(IMAGES.shape), IMAGES)
    np.testing.assert_array_equal(raw["digit"], DIGITS)
    parts, _ = module.prepare(raw)
    assert {name: len(part["digit"]) for name, part in parts.items()} == {"train": 30, "val": 10, "test": 20}
    np.testing.assert_allclose(np.asarray(parts["test"]["image"])[..., 0], IMAGES[40:] / 255, rtol=1e-6)


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_prediction_takes_the_same_file_again(style, mnist):
    outcome = dotnn("train", "s.nn", "--style", style, "--run", "run", folder=mnist)
    assert outcome.exit_code == 0, outcome.stderr
    np.savez(mnist / "x.npz", image=IMAGES[40:, ..., None])
    found, known = (
        dotnn("predict", "run", "--input", name, folder=mnist).stdout for name in ("t10k-images-idx3-ubyte", "x.npz")
    )
    assert found == known and len(found.splitlines()) == 21


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_mapped_array_is_read_as_it_is_needed(style, tmp_path, monkeypatch):
    """The numbers are those of arrays in memory, and what is read stays a view of the file."""
    x, y = RNG.normal(size=(50, 6)).astype(np.float32), RNG.integers(0, 3, 50)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    np.savez(tmp_path / "d.npz", x=x, y=y)
    text = """
model M { input x: [6]  target y: class[3]  output p = x -> dense(3, softmax) }
data { SOURCE  scale = standard(x)  split = split(val = 20%) }
train { loss = cross_entropy(p, y)  epochs = 3  batch = 8 }
"""
    lines = []
    for name, source in (("n", 'x = npy("x.npy")  y = npy("y.npy")'), ("z", 'source = npz("d.npz", x = x, y = y)')):
        (tmp_path / f"{name}.nn").write_text(text.replace("SOURCE", source))
        outcome = dotnn("train", f"{name}.nn", "--style", style, "--run", f"run_{name}", folder=tmp_path)
        assert outcome.exit_code == 0, outcome.stderr
        lines.append((tmp_path / f"run_{name}" / "history.csv").read_text())
    assert lines[0] == lines[1]
    arrays, _ = load_examples(front(str(tmp_path / "n.nn"))[0])
    assert any(isinstance(array, np.memmap) for array in owners(arrays["x"]))


DAMAGE = {
    "cut": lambda b: b[:-3],
    "longer": lambda b: b + b"xx",
    "head": lambda b: b[:9],
    "magic": lambda b: b"\1" + b[1:],
    "kind": lambda b: b[:2] + b"\7" + b[3:],
    "many": lambda b: b[:4] + b"\x7f\xff\xff\xff" * 3 + b[16:],
    "empty": lambda b: b"",
    "packed and cut": lambda b: gzip.compress(b)[:-9],
    "packed and changed": lambda b: gzip.compress(b)[:30] + b"\0\0" + gzip.compress(b)[32:],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_idx_file_is_named(damage, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(damage(idx_bytes(IMAGES[:3])))
    with pytest.raises(DataError, match=str(path)):
        read_idx(path)


@pytest.mark.parametrize("damage", ["cut", "magic", "empty", "head"])
def test_a_damaged_npy_file_is_named(damage, tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, IMAGES)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(DataError, match=str(path)):
        read_npy(path)


def test_pickled_objects_are_never_read(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object))
    with pytest.raises(DataError, match="pickled"):
        read_npy(tmp_path / "a.npy")
