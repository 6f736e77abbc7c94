"""Tables as text: one line an example, one column a number or a class."""

from dotnn.library.sources.base import DataSource

CSV = DataSource(
    "csv",
    "A UTF-8 file with a header; classes may be numbers or texts.",
    reader="csv_file.read_csv",
    file="a CSV file",
    ending=".csv",
    form='csv("file", x = [columns])',
    table=True,
)
