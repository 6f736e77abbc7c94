import contextlib
import csv
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dotnn_runtime.script.csv_cells import parse_integer, parse_number
from dotnn_runtime.script.csv_file import CsvTable, all_numbers, read_cells
from dotnn_runtime.script.data import DataError, read_csv


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "data.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


CLASS_9 = {"y": "class:9"}


def fails(path, columns, kinds=None, labels=None):
    with pytest.raises(DataError) as caught:
        read_csv(path, columns, kinds or {}, labels)
    assert caught.value.path == path
    assert str(path) in str(caught.value)
    return caught.value


def test_columns_are_taken_by_name_in_the_order_asked_for(write):
    path = write("a,b,c\n1,2,3\n4,5,6e-1\n")
    arrays, labels = read_csv(path, {"d": ["c", "a"], "t": ["b"]}, {})
    assert arrays["d"].dtype == np.float64
    np.testing.assert_array_equal(arrays["d"], [[3, 1], [0.6, 4]])
    np.testing.assert_array_equal(arrays["t"], [[2], [5]])
    assert labels == {}


def test_integers_become_int64(write):
    arrays, _ = read_csv(write("a,b\n1,2.0\n-3,4\n"), {"x": ["a", "b"]}, {"x": "int:9"})
    assert arrays["x"].dtype == np.int64
    assert arrays["x"].tolist() == [[1, 2], [-3, 4]]


def test_integer_classes_are_kept_and_have_no_labels(write):
    arrays, labels = read_csv(write("y\n2\n0\n"), {"y": ["y"]}, {"y": "class:3"})
    assert arrays["y"].dtype == np.int64
    assert (arrays["y"].tolist(), labels) == ([2, 0], {})


def test_string_classes_become_indices_in_sorted_order(write):
    arrays, labels = read_csv(write("y\npear\napple\npear\n"), {"y": ["y"]}, {"y": "class:2"})
    assert (arrays["y"].tolist(), labels) == ([1, 0, 1], {"y": ["apple", "pear"]})


def test_given_labels_fix_the_indices(write):
    arrays, labels = read_csv(write("y\npear\n"), {"y": ["y"]}, {"y": "class:2"}, {"y": ["pear", "apple"]})
    assert (arrays["y"].tolist(), labels) == ([0], {"y": ["pear", "apple"]})


def test_a_byte_order_mark_blanks_blank_lines_quotes_and_crlf_are_understood(write):
    path = write(b'\xef\xbb\xbfa, b\r\n"1", 2\r\n\r\n3,4\r\n')
    assert read_csv(path, {"x": ["a", "b"]}, {})[0]["x"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("content", "row", "column", "parts"),
    [
        ("a,b\n1,2\n3,four\n", 3, 2, ["'four'", "finite number"]),
        ("a,b\n1,\n", 2, 2, ["b is empty", "missing"]),
        ("a,b\n1,nan\n", 2, 2, ["'nan'", "finite"]),
        ("a,b\n1,-inf\n", 2, 2, ["'-inf'"]),
        ("a,b\n1,1_000\n", 2, 2, ["'1_000'"]),
        ('a,b\n1,"3,5"\n', 2, 2, ["point"]),
        ("a,b\n1,2\n3\n", 3, 2, ["1 cells", "2"]),
        ("a,b\n1,2\n3,4,5\n", 3, 3, ["3 cells"]),
        ("a,b,a\n1,2,3\n", 1, 3, ["column 1", "name a"]),
        ("a;b\n1;2\n", 1, None, ["';'", "commas"]),
        ("a\tb\n1\t2\n", 1, None, ["'\\t'"]),
        ('a,b\n1,2\n3,"4\n', 3, None, ["not a valid CSV"]),
        ('a,b\n"x\ny",2\n3,z\n', 3, 1, ["'x\\ny'"]),
        (b"a,b\n1,2\n3,\xe9\n", 3, None, ["UTF-8"]),
        ("a,b\n", None, None, ["no rows"]),
        ("", None, None, ["empty", "header"]),
        ("1,2\n3,4\n", None, None, ["no column a", "header"]),
        ("a,bb\n3,4\n", None, None, ["no column b", "did you mean bb?", "a, bb"]),
    ],
)
def test_an_error_names_its_place(write, content, row, column, parts):
    error = fails(write(content), {"x": ["a", "b"]})
    assert (error.row, error.column) == (row, column)
    assert [part for part in parts if part not in str(error)] == []


def test_an_integer_column_refuses_fractions(write):
    error = fails(write("a\n1\n1.5\n"), {"x": ["a"]}, {"x": "int:4"})
    assert (error.row, error.column) == (3, 1)
    assert "an integer" in str(error)


def test_one_class_too_many_is_found_where_it_first_stands(write):
    error = fails(write("i,y\n1,a\n2,b\n3,aa\n4,a\n"), {"y": ["y"]}, {"y": "class:2"})
    assert (error.row, error.column) == (4, 2)
    assert "a, b" in error.help


def test_an_unknown_label_is_found(write):
    error = fails(write("y\nsetosa\nsetossa\n"), {"y": ["y"]}, {"y": "class:2"}, {"y": ["setosa", "virginica"]})
    assert (error.row, error.column) == (3, 1)
    assert "did you mean setosa?" in error.help


def test_an_empty_class_is_refused(write):
    assert fails(write("i,y\n1,a\n2,\n"), {"y": ["y"]}, {"y": "class:2"}).row == 3
    assert fails(write("x,y\nb,a\na,\n"), {"y": ["x", "y"]}, {"y": "class:2"}).column == 2


def test_classes_of_several_columns_are_numbered_together(write):
    texts = write("x,y\nb,a\na,c\n")
    arrays, labels = read_csv(texts, {"y": ["x", "y"]}, {"y": "class:3"})
    np.testing.assert_array_equal(arrays["y"], [[1, 0], [0, 2]])
    assert labels == {"y": ["a", "b", "c"]}
    np.testing.assert_array_equal(read_csv(texts, {"y": ["y"]}, {"y": "class:3"}, labels)[0]["y"], [0, 2])
    numbers = write("x,y\n2,0\n1,1\n")
    np.testing.assert_array_equal(read_csv(numbers, {"y": ["y", "x"]}, {"y": "class:3"})[0]["y"], [[0, 2], [1, 1]])
    mixed = fails(write("x,y\nb,1\na,2\n"), {"y": ["x", "y"]}, {"y": "class:3"})
    assert (mixed.row, mixed.column) == (2, 2)


@pytest.mark.parametrize(
    ("cells", "rows", "reason"),
    [
        (["0", "1", "b", "1", "c"], (4, "row 6"), "3 rows hold whole numbers"),
        (["a", "b", "7", "b"], (4, ""), "3 rows hold texts"),
        (["0", "1.5", "1"], (3, ""), "neither a whole number nor a text"),
        (["a", "nan", "b", "NaN", "-inf"], (3, "rows 5, 6"), "neither a whole number nor a text"),
        (["0.5", "1.5", "0.5"], (2, "rows 3, 4"), "neither a whole number nor a text"),
        (["0", "1", "", "1", ""], (4, ""), "is empty"),
    ],
)
def test_a_class_column_of_numbers_and_texts_is_refused_with_its_odd_rows(write, cells, rows, reason):
    """pandas reads such a column as texts; renumbering 2 to 1 in silence would train another task."""
    error = fails(write("\n".join(["i,y", *(f"{i},{cell}" for i, cell in enumerate(cells))])), {"y": ["y"]}, CLASS_9)
    assert (error.row, error.column) == (rows[0], 2)
    assert rows[1] in error.help and reason in str(error)


def test_fewer_texts_than_classes_are_told(write):
    with pytest.warns(UserWarning, match="y has 2 different texts, but there are 9 classes: a, b"):
        assert read_csv(write("y\nb\na\n"), {"y": ["y"]}, CLASS_9)[0]["y"].tolist() == [1, 0]


def test_files_that_cannot_be_read(tmp_path):
    assert "No such file" in str(fails(tmp_path / "none.csv", {"x": ["a"]}))
    assert "cannot be read" in str(fails(tmp_path, {"x": ["a"]}))


def test_the_size_is_limited(write):
    with pytest.raises(DataError, match="the limit is 3"):
        CsvTable(write("a\n1\n"), max_bytes=3)


def test_a_million_cells_take_seconds_at_most(write):
    path = write("a,b,c,d,e\n" + "1.25,2.5,3.75,4,5\n" * 200_000)
    start = time.perf_counter()
    arrays, _ = read_csv(path, {"x": list("abcde")}, {})
    assert arrays["x"].shape == (200_000, 5)
    assert time.perf_counter() - start < 10


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_floats_come_back_exactly(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "floats.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["v"], *([value] for value in values)])
    assert read_csv(path, {"x": ["v"]}, {})[0]["x"][:, 0].tolist() == values


@given(st.integers(-(2**63) + 1024, 2**63 - 1024))
def test_integers_come_back_exactly(value):
    assert parse_integer(str(value)) == value


@given(st.text(max_size=8))
def test_a_cell_is_a_finite_number_or_refused(cell):
    with contextlib.suppress(ValueError):
        assert math.isfinite(parse_number(cell))


def test_many_columns_take_no_long_time(tmp_path):
    """The check for names that are there twice is linear: 60,000 columns would be 1.8 billion comparisons."""
    names = [f"column{i}" for i in range(60_000)]
    (tmp_path / "d.csv").write_text(f"{','.join(names)}\n{','.join('1' * 60_000)}\n")
    started = time.process_time()
    arrays, _ = read_csv(tmp_path / "d.csv", {"x": names}, {})
    assert arrays["x"].shape == (1, 60_000) and time.process_time() - started < 2
    (tmp_path / "d.csv").write_text("a,b,c,b\n1,2,3,4\n")
    with pytest.raises(DataError, match="column 2 has the name b already") as caught:
        read_csv(tmp_path / "d.csv", {"x": ["a"]}, {})
    assert caught.value.column == 4


CELLS = st.sampled_from(
    ["1", "2.5", "-3", " 4 ", "5e3", "nan", "inf", "", "x", "1_0", '"6"', "0x1", "9007199254740993"]
)
TABLES = st.lists(st.lists(CELLS, min_size=2, max_size=3), min_size=0, max_size=3)
HEADS = st.sampled_from(["a,b", "a, b", "a,b,c", '"a",b', "a,a", "a", "", "\ufeffa,b"])


@settings(max_examples=400, deadline=None)
@given(HEADS, TABLES, st.sampled_from(["real", "int", "class"]), st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
def test_what_is_read_in_one_go_is_what_is_read_cell_by_cell(tmp_path_factory, head, rows, kind, end):
    path = tmp_path_factory.getbasetemp() / "either.csv"
    path.write_bytes(end.join([head, *map(",".join, rows), ""]).encode())
    columns, kinds = {"x": ["b", "a"], "y": ["a"]}, {"y": kind}
    quick = all_numbers(path, columns, kinds)
    try:
        slow = read_cells(path, columns, kinds, {})[0]
    except DataError:
        assert quick is None
        return
    if quick is not None:
        assert {n: a.dtype for n, a in quick.items()} == {n: a.dtype for n, a in slow.items()}
        assert all(np.array_equal(quick[name], slow[name]) for name in slow)


def test_a_plain_table_is_read_in_one_go(write):
    quick = all_numbers(write("a,b\n1,2\n\n3,4.5\n"), {"x": ["b"], "y": ["a"]}, {"y": "class:4"})
    assert quick["x"].tolist() == [[2], [4.5]] and quick["y"].tolist() == [1, 3]
