"""Data files as they come, and as they are damaged: the right numbers, or one clear error, never a traceback.

Each row is a file, what the spec says of it, and the numbers that a person reads in it, or a part of what is said.
Both `dotnn train` and the script are asked, which have the readers in common, and the explain style where the file is
as it should be.
"""

import gzip
import struct

import numpy as np
import pytest
from errors.runner import dotnn

from dotnn.running.scripts import load_module
from dotnn.session import Options, compile_spec

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
    # as they should not be
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


def outcomes(folder, source):
    """What `dotnn train` says, and what the fast script says or reads."""
    (folder / "s.nn").write_text(SPEC.replace("SOURCE", source))
    told = dotnn("train", "s.nn", "--run", "run", folder=folder)
    (folder / "m.py").write_text(compile_spec(str(folder / "s.nn"), Options("fast")).script)
    module = load_module(folder / "m.py", None)
    try:
        data = module.load_data()
        module.prepare(data)
        return told, np.hstack([np.reshape(data[name], (-1, n)) for name, n in (("x", 2), ("t", 1))])
    except module.DataError as error:
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
def test_a_table(case, tmp_path):
    content, options, expected = TABLES[case]
    (tmp_path / "d.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    judged(*outcomes(tmp_path, f"{CSV}{options})"), expected)


@pytest.mark.parametrize("case", ARRAYS)
def test_an_array(case, tmp_path):
    content, expected = ARRAYS[case]
    (tmp_path / "x").write_bytes(content)
    np.save(tmp_path / "t.npy", T)
    judged(*outcomes(tmp_path, 'x = idx("x")  t = npy("t.npy")'), expected)
