"""Data files as they come, and as they are damaged: the right numbers, or one clear error, never a traceback.

Each row is a file, what the spec says of it, and the numbers that a person reads in it, or a part of what is said.
Both `dotnn train` and the script are asked, which have the readers in common, and the explain style where the file is
as it should be.
"""

import bz2
import gzip
import io
import lzma
import pickle
import struct
import zipfile
from functools import cache, partial

import numpy as np
import pytest
from errors.runner import dotnn

from dotnn.running.scripts import load_module
from dotnn.session import Options, compile_spec
from dotnn_runtime.script.csv_file import CsvTable

SPEC = """
model M {
  input  x: [2]
  target t: [1]
  output y = x -> dense(1)
}
data { SOURCE }
train { loss = mse(y, t)  epochs = 1  batch = all }
"""
ROWS = [[1.5, 2.0, 3.0], [4.0, -5.25, 6e-3]]
CSV = 'source = csv("d.csv", x = [a, b], t = t'
TABLE = "a,b,t\n1.5,2,3\n4,-5.25,6e-3\n"

TO_TABS = str.maketrans({",": "\t", ".": ","})


def row(*cells):
    return ",".join(map(str, cells)) + "\n"


TABLES = {
    # as other programs write them
    "plain": (TABLE, "", ROWS),
    "byte order mark": ("\ufeff" + TABLE, "", ROWS),
    "carriage returns": (TABLE.replace("\n", "\r\n"), "", ROWS),
    "carriage returns alone": (TABLE.replace("\n", "\r"), "", ROWS),
    "no last line end": (TABLE.rstrip("\n"), "", ROWS),
    "blank lines": (TABLE.replace("\n", "\n\n"), "", ROWS),
    "blanks around cells": ("a , b,  t\n 1.5, 2 ,3\n4 ,-5.25, 6e-3\n", "", ROWS),
    "all quoted": ('"a","b","t"\n"1.5","2","3"\n"4","-5.25","6e-3"\n', "", ROWS),
    "quoted line end in another column": ('a,b,n,t\n1.5,2,"x\ny",3\n4,-5.25,"p, ""q""",6e-3\n', "", ROWS),
    "a column of texts between": ("a,n,b,t\n1.5,é,2,3\n4,日本,-5.25,6e-3\n", "", ROWS),
    "signs and exponents": ("a,b,t\n+1.5,2E0,30e-1\n4.,-525e-2,.006\n", "", ROWS),
    "an index without a name": (",a,b,t\n0,1.5,2,3\n1,4,-5.25,6e-3\n", "", ROWS),
    "semicolons and commas": ("a;b;t\n1,5;2;3\n4;-5,25;6e-3\n", ', delimiter = ";", decimal = ","', ROWS),
    "tabs": (TABLE.replace(",", "\t"), r', delimiter = "\t"', ROWS),
    "bars": (TABLE.replace(",", "|"), ', delimiter = "|"', ROWS),
    "single quotes": ("a,b,t\n'1.5','2',3\n4,-5.25,6e-3\n", ', quoting = "\'"', ROWS),
    "a quote that stands for inches": ('a,b,n,t\n1.5,2,5",3\n4,-5.25,7",6e-3\n', ", quoting = none", ROWS),
    "gzip": (gzip.compress(TABLE.encode()), "", ROWS),
    "trailing delimiters": ("a,b,t,\n1.5,2,3,\n4,-5.25,6e-3,\n", "", ROWS),
    "mixed line ends": ("a,b,t\r\n1.5,2,3\n4,-5.25,6e-3\r\n", "", ROWS),
    "quoted carriage return": ('a,b,n,t\r\n1.5,2,"x\r\ny",3\r\n4,-5.25,z,6e-3\r\n', "", ROWS),
    "a line of blanks": (TABLE + "   \n", "", ROWS),
    "lines of blanks at the end": (TABLE + "\n\n  ", "", ROWS),
    "two columns without a name": (",,a,b,t\n0,0,1.5,2,3\n0,0,4,-5.25,6e-3\n", "", ROWS),
    "colons": (TABLE.replace(",", ":"), ', delimiter = ":"', ROWS),
    "carets": (TABLE.replace(",", "^"), ', delimiter = "^"', ROWS),
    "blanks": (TABLE.replace(",", " "), ', delimiter = " "', ROWS),
    "several blanks": (TABLE.replace(",", "   "), ', delimiter = " "', ROWS),
    "tabs and commas": (TABLE.translate(TO_TABS), r', delimiter = "\t", decimal = ","', ROWS),
    "zeros in front": (TABLE.replace(",2,", ",002,"), "", ROWS),
    "more digits than count": (TABLE.replace("1.5", "1.5" + "0" * 400), "", ROWS),
    "smaller than any number": ("a,b,t\n1e-400,2,3\n4,-0,6\n", "", [[0, 2, 3], [4, 0, 6]]),
    "a blank that does not break": ("a,b,t\n\u00a01.5,2,3\n4,-5.25,6e-3\n", "", ROWS),
    "digits of Arabic": (TABLE + "\u0661,7,8\n", "", [*ROWS, [1, 7, 8]]),
    "wide digits": (TABLE + "\uff11,7,8\n", "", [*ROWS, [1, 7, 8]]),
    "zero bytes in a text": ("a,n,b,t\n1.5,x\0y,2,3\n4,z,-5.25,6e-3\n", "", ROWS),
    "many columns": (
        row("a,b,t", *range(999)) + row(1.5, 2, 3, *range(999)) + row(4, -5.25, 6e-3, *range(999)),
        "",
        ROWS,
    ),
    "gzip of a table with a byte order mark": (gzip.compress(b"\xef\xbb\xbf" + TABLE.encode()), "", ROWS),
    "gzip with carriage returns": (gzip.compress(TABLE.replace("\n", "\r\n").encode()), "", ROWS),
    "gzip in two parts": (gzip.compress(b"a,b,t\n1.5,2,3\n") + gzip.compress(b"4,-5.25,6e-3\n"), "", ROWS),
    # as they should not be
    "header without a line end": ("a,b,t", "", "no rows"),
    "header with a carriage return": ("a,b,t\r\n", "", "no rows"),
    "blank lines alone": ("\n\n\n", "", "empty"),
    "byte order mark alone": ("\ufeff", "", "empty"),
    "zero bytes alone": ("\0" * 50, "", "not UTF-8"),
    "one quote": ('"', "", "not a valid CSV"),
    "trailing delimiters but in the header": ("a,b,t\n1.5,2,3,\n", "", "4 cells, the header 3"),
    "a comment above": ("# made by hand\na,b,t\n", "", "3 cells, the header 1"),
    "a line of units": ("a,b,t\nm,2,3\n1.5,2,3\n", "", "'m', not a finite number"),
    "a name twice that is not read": ("a,n,b,n,t\n1.5,x,2,y,3\n", "", "has the name n already"),
    "a first row that is short": ("a,b,t\n1.5,2\n4,-5.25,6e-3\n", "", "2 cells, the header 3"),
    "a quote in a number": (TABLE.replace("1.5", '1"5'), "", "not a finite number"),
    "text behind a quote": (TABLE.replace("1.5", '"1.5"x'), "", "not a valid CSV"),
    "a very long text": ("a,n,b,t\n1.5," + "x" * 140_000 + ",2,3\n", "", "field larger than"),
    "UTF-16 without a mark": (TABLE.encode("utf-16-be"), "", "not UTF-8: it holds zero bytes"),
    "UTF-32": (TABLE.encode("utf-32"), "", "not UTF-8"),
    "Shift-JIS": ("a,b,名,t\n1.5,2,日本,3\n".encode("shift-jis"), "", "not UTF-8"),
    "a header in Latin-1": ("a,b,t,gr\xf6\xdfe\n1.5,2,3,1\n".encode("latin-1"), "", "not UTF-8"),
    "a letter cut in two": ("a,b,t,n\n1.5,2,3,é".encode()[:-1], "", "not UTF-8"),
    "an end of the file of DOS": (TABLE + "\x1a", "", "1 cells, the header 3"),
    "a web page": ("<!DOCTYPE html>\n<html><body>404, not found</body></html>\n", "", "the header 1"),
    "JSON": ('[{"a": 1.5, "b": 2, "t": 3},\n {"a": 4, "b": -5.25}]\n', "", "2 cells, the header"),
    "a pointer to a large file": ("version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", "", "no column a"),
    "Parquet": (b"PAR1" + bytes(range(200)) + b"PAR1", "", "not"),
    "PDF": (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "", "not UTF-8"),
    "bzip2": (bz2.compress(TABLE.encode()), "", "not UTF-8"),
    "xz": (lzma.compress(TABLE.encode()), "", "not UTF-8"),
    "gzip of nothing": (gzip.compress(b""), "", "empty"),
    "gzip, cut in its head": (gzip.compress(TABLE.encode())[:5], "", "cannot be unpacked"),
    "gzip with something behind": (gzip.compress(TABLE.encode()) + b"more", "", "cannot be unpacked"),
    "gzip of gzip": (gzip.compress(gzip.compress(TABLE.encode(), mtime=0), mtime=0), "", "not"),
    "empty": ("", "", "empty"),
    "header alone": ("a,b,t\n", "", "no rows"),
    "no header": ("1.5,2,3\n4,-5.25,6e-3\n", "", "no column a"),
    "other names": (TABLE.replace("a,b", "A,B"), "", "no column a"),
    "a name twice": (TABLE.replace("a,b,t", "a,a,t"), "", "has the name a already"),
    "another delimiter": (TABLE.replace(",", ";"), "", "delimiter is ';'"),
    "decimals with commas": ("a;b;t\n1,5;2;3\n", ', delimiter = ";"', "decimal ="),
    "thousands": ("a;b;t\n1.000,5;2;3\n", ', delimiter = ";", decimal = ","', "'1.000,5'"),
    "mixed types": (TABLE + "x,7,8\n", "", "'x', not a finite number"),
    "a percent sign": (TABLE + "7%,7,8\n", "", "'7%'"),
    "a currency": (TABLE + "€7,7,8\n", "", "'€7'"),
    "a gap": (TABLE + ",7,8\n", "", "a is empty"),
    "nan": (TABLE + "NaN,7,8\n", "", "'NaN'"),
    "infinite": (TABLE + "inf,7,8\n", "", "'inf'"),
    "too large": (TABLE + "1e999,7,8\n", "", "'1e999'"),
    "an underscore": (TABLE + "1_000,7,8\n", "", "'1_000'"),
    "hexadecimal": (TABLE + "0x1F,7,8\n", "", "'0x1F'"),
    "digits of another script": (TABLE + "①,7,8\n", "", "'①'"),
    "a short row": (TABLE + "7,8\n", "", "2 cells, the header 3"),
    "a long row": (TABLE + "7,8,9,10\n", "", "4 cells, the header 3"),
    "a quote that never ends": (TABLE + '"7,8,9\n', "", "not a valid CSV"),
    "Latin-1": ("a,b,n,t\n1.5,2,\xe9,3\n".encode("latin-1"), "", "not UTF-8"),
    "UTF-16": (TABLE.encode("utf-16"), "", "not UTF-8"),
    "zero bytes": (TABLE.replace("4", "\0"), "", "not"),
    "binary": (bytes(range(256)) * 4, "", "not"),
    "an npz": (b"PK\3\4" + bytes(200), "", "no"),
    "gzip, cut": (gzip.compress(TABLE.encode() * 50)[:40], "", "cannot be unpacked"),
    "gzip, changed": (gzip.compress(TABLE.encode(), mtime=0)[:20] + b"\xff" * 30, "", "cannot be unpacked"),
    "gzip of binary": (gzip.compress(bytes(range(256))), "", "not"),
}


CELLS = ["true", "2024-03-01", "12:30", "1/2", '"1,000"', '"1,5"', "1.5.2", "1e", "e5", "--1", "0b1", "1.5D+2", "1 000"]
CELLS += [
    "(5)",
    "1+2j",
    "#DIV/0!",
    "#N/A",
    "1.#INF",
    "-",
    ".",
    "NAN",
    "-nan",
    "+inf",
    "-Infinity",
    "INF",
    "NULL",
    "null",
]
CELLS += ["None", "n/a", "N/A", "NA", "?", "nil", "missing", "nan(0)", "\u22125"]
"""What is no number, each in a cell of its own: all of them are found in one reading, in their rows."""


def idx(array, code):
    head = struct.pack(">BBBB", 0, 0, code, array.ndim) + b"".join(struct.pack(">i", n) for n in array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


X, T = np.array(ROWS)[:, :2], np.array(ROWS)[:, 2:]
WHOLE = idx(X.astype("f4"), 13)
ARRAYS = {
    "idx": (WHOLE, ROWS),
    "idx, packed": (gzip.compress(WHOLE), ROWS),
    "idx, of doubles": (idx(X, 14), ROWS),
    "idx, cut": (WHOLE[:-1], "declares"),
    "idx, packed and cut": (gzip.compress(WHOLE)[:-6], "cannot be unpacked"),
    "idx, without a head": (WHOLE[:6], "cut off"),
    "idx, of no type": (b"\0\0\1" + WHOLE[3:], "not an IDX file"),
    "idx, of other sizes": (idx(X.astype("f4").reshape(4, 1), 13), "shape"),
    "idx, of one example more": (idx(np.ones((3, 2), "f4"), 13), "differ"),
    "idx, empty": (b"", "not an IDX file"),
    "idx, with nothing in it": (idx(np.ones((0, 2), "f4"), 13), "no examples"),
    "idx, not finite": (idx(np.full((2, 2), np.nan), 14), "not finite"),
    "a table": (TABLE.encode(), "not an IDX file"),
}


def npy(array, **form):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **form)
    return file.getvalue()


def declared(text):
    """An .npy file with such a head."""
    head = text.encode() + b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + X.tobytes()


def shaped(shape):
    return declared(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}")


def zipped(x=None, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in (x or ("x.npy", npy(X)), ("t.npy", npy(T))):
            archive.writestr(name, content)
    return file.getvalue()


def encrypted(content):
    """As a packer marks it that asks for a password."""
    marked, place = bytearray(content), content.find(b"PK\1\2")
    marked[6] |= 1
    marked[place + 8] |= 1
    return bytes(marked)


def with_x(rows):
    return np.hstack([rows, T])


WHOLE_NUMBERS = np.array([[1, 2], [4, 5]])
OWN = npy(X)
STORED = zipped(method=zipfile.ZIP_STORED)
IDX_HEAD = b"\0\0\x0d\2"
MORE_IDX = {
    "idx, of bytes": (idx(WHOLE_NUMBERS.astype("u1"), 8), with_x(WHOLE_NUMBERS)),
    "idx, of signed bytes": (idx(-WHOLE_NUMBERS.astype("i1"), 9), with_x(-WHOLE_NUMBERS)),
    "idx, of short numbers": (idx(-300 * WHOLE_NUMBERS.astype("i2"), 11), with_x(-300 * WHOLE_NUMBERS)),
    "idx, of whole numbers": (idx(WHOLE_NUMBERS.astype("i4"), 12), with_x(WHOLE_NUMBERS)),
    "idx, with something behind": (WHOLE + b"more", "declares 28 bytes and has 32"),
    "idx, packed twice": (gzip.compress(gzip.compress(WHOLE)), "not an IDX file"),
    "idx, packed, with something behind": (gzip.compress(WHOLE) + b"more", "cannot be unpacked"),
    "idx, of a negative size": (IDX_HEAD + struct.pack(">ii", -2, 2) + WHOLE[12:], "declares"),
    "idx, larger than any disk": (IDX_HEAD + struct.pack(">ii", 2**31 - 1, 2**31 - 1) + WHOLE[12:], "declares"),
    "idx, larger than any number": (b"\0\0\x0d\x08" + struct.pack(">8i", *[2**31 - 1] * 8), "declares"),
    "idx, of 255 axes": (b"\0\0\x0d\xff" + b"\0\0\0\1" * 255 + WHOLE[12:], "declares"),
    "idx, of no axis": (b"\0\0\x0d\0\0\0\0\0", "no examples"),
    "idx, in the other order of bytes": (IDX_HEAD + struct.pack("<ii", 2, 2) + WHOLE[12:], "declares"),
    "idx, of zeros": (bytes(64), "not an IDX file"),
    "idx, that unpacks to more than it says": (gzip.compress(WHOLE + bytes(1 << 22)), "declares"),
    "an npy": (OWN, "not an IDX file"),
}
NPY = {
    "npy": (OWN, ROWS),
    "npy, short": (npy(X.astype("f4")), ROWS),
    "npy, in the other order of bytes": (npy(X.astype(">f8")), ROWS),
    "npy, in the order of Fortran": (npy(np.asfortranarray(X)), ROWS),
    "npy, of half precision": (npy(X.astype("f2")), ROWS),
    "npy, of more than double precision": (npy(X.astype("g")), ROWS),
    "npy, of version 2": (npy(X, version=(2, 0)), ROWS),
    "npy, of version 3": (npy(X, version=(3, 0)), ROWS),
    "npy, of unsigned numbers": (npy(WHOLE_NUMBERS.astype("u8")), with_x(WHOLE_NUMBERS)),
    "npy, of truth values": (npy(WHOLE_NUMBERS > 2), with_x(WHOLE_NUMBERS > 2)),
    "npy, that is an npz": (zipped(), "not an .npy file"),
    "npy, complex": (npy(X.astype(complex)), "not real numbers"),
    "npy, of texts": (npy(X.astype(str)), "not numbers"),
    "npy, of bytes": (npy(X.astype("S")), "not numbers"),
    "npy, of objects": (npy(X.astype(object)), "not numbers"),
    "npy, of dates": (npy(np.full((2, 2), "2024-03-01", "M8[D]")), "not numbers"),
    "npy, of records": (npy(np.zeros(2, [("a", "f8"), ("b", "f8")])), "not numbers"),
    "npy, of one number": (npy(np.array(1.5)), "no examples"),
    "npy, of one axis": (npy(X[:, 0]), "has shape (2,)"),
    "npy, of no rows": (npy(X[:0]), "no examples"),
    "npy, of one example less": (npy(X[:1]), "differ"),
    "npy, not a number": (npy(np.where(X == 4, np.nan, X)), "x[1, 0] is nan"),
    "npy, too large": (npy(X * 1e300), "not finite in float32"),
    "npy, pickled": (pickle.dumps(X), "not an .npy file"),
    "npy, packed": (gzip.compress(OWN), "not an .npy file"),
    "npy, empty": (b"", "not an .npy file"),
    "npy, cut in its head": (OWN[:20], "cannot be read"),
    "npy, cut": (OWN[:-1], "declares 160 bytes and has 159"),
    "npy, with something behind": (OWN + b"more", "declares 160 bytes and has 164"),
    "npy, of version 9": (OWN[:6] + b"\x09" + OWN[7:], "cannot be read"),
    "npy, with code in its head": (shaped("__import__('os').abort()"), "malformed"),
    "npy, with brackets in its head": (declared("[" * 5000), "cannot be read"),
    "npy, of a negative size": (shaped("(-1, 2)"), "declares"),
    "npy, larger than any disk": (shaped("(10**12, 2)".replace("10**12", "1" + "0" * 12)), "declares"),
    "npy, larger than any number": (shaped(f"({10**22}, 2)"), "declares"),
    "npy, of a broken size": (shaped("(2.0, 2)"), "cannot be read"),
}
NPZ = {
    "npz": (zipped(), ROWS),
    "npz, stored": (STORED, ROWS),
    "npz, in the other order of bytes": (zipped(("x.npy", npy(X.astype(">f4")))), ROWS),
    "npz, packed otherwise": (zipped(method=zipfile.ZIP_BZIP2), "packed by an unknown method"),
    "npz, with another name": (zipped(("y.npy", OWN)), "no array x"),
    "npz, with a path": (zipped(("../x.npy", OWN)), "no array x"),
    "npz, with a text": (zipped(("x.npy", b"hello")), "the array x cannot be read"),
    "npz, with objects": (zipped(("x.npy", npy(X.astype(object)))), "not numbers"),
    "npz, encrypted": (encrypted(zipped()), "encrypted"),
    "npz, cut": (zipped()[:-30], "end of the .npz file is missing"),
    "npz, with an array that is cut": (zipped(("x.npy", OWN[:-8])), "declares 160 bytes and has 152"),
    "npz, changed": (STORED[:90] + bytes([STORED[90] ^ 255]) + STORED[91:], "the array x"),
    "npz, empty": (b"", "neither an .npz nor an .npy file"),
    "npz, of nothing": (b"PK\5\6" + bytes(18), "no array x"),
    "npz, packed": (gzip.compress(zipped()), "neither an .npz nor an .npy file"),
    "npz, larger than any disk": (zipped(("x.npy", shaped("(1000000000000, 2)"))), "declares"),
    "npz, that unpacks to much": (zipped(("x.npy", npy(np.zeros((500_000, 2))))), "differ"),
    "a workbook": (zipped(("[Content_Types].xml", b"<x/>")), "no array x"),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(100), "neither an .npz nor an .npy file"),
}
FILES = {
    **{case: ('x = idx("x")  t = npy("t.npy")', "x", *found) for case, found in (ARRAYS | MORE_IDX).items()},
    **{case: ('x = npy("x")  t = npy("t.npy")', "x", *found) for case, found in NPY.items()},
    **{case: ('source = npz("d.npz", x = x, t = t)', "d.npz", *found) for case, found in NPZ.items()},
}


@cache
def script_of(source, folder):
    """The script of a spec, without its data: what it reads is named."""
    (folder / "s.nn").write_text(SPEC.replace("SOURCE", source))
    (folder / "m.py").write_text(compile_spec(str(folder / "s.nn"), Options("fast")).script)
    return load_module(folder / "m.py", None)


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    return partial(script_of, folder=tmp_path_factory.mktemp("scripts"))


def outcomes(folder, source, script, path):
    """What `dotnn train` says, and what the fast script says or reads."""
    (folder / "s.nn").write_text(SPEC.replace("SOURCE", source))
    told = dotnn("train", "s.nn", "--run", "run", folder=folder)
    try:
        data = script.load_data(path)
        script.prepare(data)
        return told, np.hstack([np.reshape(data[name], (-1, n)) for name, n in (("x", 2), ("t", 1))])
    except script.DataError as error:
        return told, str(error)


def judged(told, found, expected):
    """An error of one kind with its place and its help, or the numbers."""
    assert "Traceback" not in told.stderr and "NN901" not in told.stderr
    if isinstance(expected, str):
        assert told.exit_code == 1 and told.stderr.startswith("error[NN403]")
        assert expected in told.stderr and expected in found
        assert told.stderr.count("error[") == told.stderr.count("  help: ") == 1
    else:
        assert told.exit_code == 0, told.stderr
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("case", TABLES)
def test_a_table(case, tmp_path, scripts):
    content, options, expected = TABLES[case]
    (tmp_path / "d.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    source = f"{CSV}{options})"
    judged(*outcomes(tmp_path, source, scripts(source), tmp_path / "d.csv"), expected)


@pytest.mark.parametrize("case", FILES)
def test_an_array(case, tmp_path, scripts):
    source, name, content, expected = FILES[case]
    (tmp_path / name).write_bytes(content)
    np.save(tmp_path / "t.npy", T)
    judged(*outcomes(tmp_path, source, scripts(source), tmp_path if name == "x" else tmp_path / name), expected)


def test_cells_that_are_no_numbers(tmp_path):
    """All of them are told at once, each with its row, as many as are shown; the rest is counted."""
    (tmp_path / "d.csv").write_text("a,b,t\n1,2,3\n" + "".join(f"{cell},2,3\n" for cell in CELLS))
    (tmp_path / "s.nn").write_text(SPEC.replace("SOURCE", f"{CSV})"))
    told = dotnn("train", "s.nn", "--run", "run", folder=tmp_path)
    assert told.exit_code == 1 and told.stderr.count("error[NN403]") == 20
    for row in range(3, 23):
        assert f"d.csv:{row}:1 |" in told.stderr
    assert f"{len(CELLS)} faults in all" in told.stderr
    table = CsvTable(tmp_path / "d.csv")
    table.value("a", ["a"], "real", None)
    assert table.faults.count == len(CELLS)


def test_how_many_files_are_tried():
    assert len(TABLES) + len(FILES) + 1 >= 150
