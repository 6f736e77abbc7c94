"""Where the readers of data are imported from."""

from dotnn_runtime.script.arrays import check_arrays
from dotnn_runtime.script.csv_file import read_csv
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.npz_file import read_npz

__all__ = ["DataError", "check_arrays", "read_csv", "read_npz"]
