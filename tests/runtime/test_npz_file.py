import io
import re
import zipfile

import numpy as np
import pytest

from dotnn_runtime.script.data import DataError, read_npz
from dotnn_runtime.script.npz_file import load_arrays
from dotnn_runtime.script.storage import load_weights


def fails(path, names):
    with pytest.raises(DataError) as caught:
        read_npz(path, names)
    assert caught.value.path == path
    return str(caught.value)


def test_arrays_are_renamed_and_left_as_they_are(tmp_path):
    np.savez_compressed(tmp_path / "d.npz", images=np.ones((2, 3), np.uint8), label=np.array([0, 1]), other=[1.0])
    arrays = read_npz(tmp_path / "d.npz", {"x": "images", "y": "label"})
    assert list(arrays) == ["x", "y"]
    assert arrays["x"].dtype == np.uint8


def test_one_key_may_serve_two_values(tmp_path):
    np.savez(tmp_path / "d.npz", a=np.arange(3.0))
    arrays = read_npz(tmp_path / "d.npz", {"x": "a", "t": "a"})
    np.testing.assert_array_equal(arrays["x"], arrays["t"])


def test_an_npy_file_serves_one_value(tmp_path):
    np.save(tmp_path / "d.npy", np.eye(2))
    np.testing.assert_array_equal(read_npz(tmp_path / "d.npy", {"x": "x"})["x"], np.eye(2))
    assert "one array" in fails(tmp_path / "d.npy", {"x": "x", "y": "y"})


def test_a_missing_key_is_named(tmp_path):
    np.savez(tmp_path / "d.npz", images=np.eye(2), label=np.arange(2))
    message = fails(tmp_path / "d.npz", {"x": "image"})
    assert "no array image" in message
    assert "did you mean images? there is: images, label" in message


@pytest.mark.parametrize("values", [np.array([{}], dtype=object), np.array(["a"]), np.array(["2020"], "M8[D]")])
def test_what_is_not_numbers_is_refused(tmp_path, values):
    np.savez(tmp_path / "d.npz", x=values)
    assert "numbers" in fails(tmp_path / "d.npz", {"x": "x"})
    np.save(tmp_path / "d.npy", values)
    assert "numbers" in fails(tmp_path / "d.npy", {"x": "x"})


@pytest.mark.parametrize("content", [b"", b"hello, world", b"PK\x03\x04 broken", b"\x93NUMPY\x01\x00garbage"])
def test_broken_files_are_refused(tmp_path, content):
    path = tmp_path / "d.npz"
    path.write_bytes(content)
    fails(path, {"x": "x"})


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.98])
def test_cut_files_are_refused(tmp_path, keep):
    path = tmp_path / "d.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).random(500))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    fails(path, {"x": "x"})


def test_damaged_members_are_refused(tmp_path):
    path = tmp_path / "d.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).random(500))
    content = bytearray(path.read_bytes())
    content[500:600] = bytes(100)
    path.write_bytes(content)
    fails(path, {"x": "x"})


def test_files_that_are_not_there(tmp_path):
    assert "cannot be read" in fails(tmp_path / "none.npz", {"x": "x"})
    assert "cannot be read" in fails(tmp_path, {"x": "x"})


def test_the_size_is_limited(tmp_path):
    np.savez_compressed(tmp_path / "d.npz", x=np.zeros(10_000))
    with pytest.raises(DataError, match="the limit is 1,000"):
        load_arrays(tmp_path / "d.npz", max_bytes=1000)


def bomb(path, shape, numbers, method=zipfile.ZIP_DEFLATED):
    """An .npz file of a few bytes whose array declares a shape, and unpacks to so many zeros."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", method) as archive, archive.open("x.npy", "w", force_zip64=True) as member:
        member.write(head.getvalue())
        for _ in range(numbers // 1000):
            member.write(bytes(8000))


@pytest.mark.parametrize("shape", [(10**12,), (10**6, 10**6), (1000, 2**40), (-1,), (2**62, 4), (0, -5)])
def test_what_declares_more_or_less_than_it_has_is_not_read(shape, tmp_path, monkeypatch):
    bomb(tmp_path / "d.npz", shape, 1000)
    monkeypatch.setattr(np.lib.format, "read_array", None)
    assert re.search(r"declares -?[\d,]+ bytes and has 8,", fails(tmp_path / "d.npz", {"x": "x"}))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    bomb(tmp_path / "d.npz", (2 * 10**6,), 2 * 10**6)
    assert (tmp_path / "d.npz").stat().st_size < 100_000
    monkeypatch.setattr(np.lib.format, "read_array", None)
    with pytest.raises(DataError, match="the limit is 1,000,000"):
        load_arrays(tmp_path / "d.npz", max_bytes=10**6)
    with pytest.raises(DataError, match=r"x has shape \(2000000,\), needed is \(3,\)"):
        load_weights(tmp_path / "d.npz", {"x": (3,)})


def test_a_head_that_never_ends_is_not_read(tmp_path):
    head = b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + b" " * 1000
    (tmp_path / "d.npy").write_bytes(head)
    assert "damaged" in fails(tmp_path / "d.npy", {"x": "x"})


def test_arrays_in_the_order_of_fortran_and_of_other_bytes_come_back(tmp_path):
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3)).astype(">f4")
    np.savez(tmp_path / "d.npz", x=array, empty=np.zeros((0, 3)), one=np.array(2.5))
    found = load_arrays(tmp_path / "d.npz")
    np.testing.assert_array_equal(found["x"], array, strict=True)
    assert found["empty"].shape == (0, 3) and found["one"] == 2.5
