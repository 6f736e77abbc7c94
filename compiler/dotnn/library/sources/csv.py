"""Tables as text: one line an example, one column a number or a class."""

from dotnn.library.sources.base import DataSource

PLAIN = '''
def read_csv(path, columns):
    """Return the named columns as an array of texts, one row for each example."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    return np.array([[row[column] for column in columns] for row in rows])
'''

CSV = DataSource(
    "csv",
    "A table in UTF-8 with a header. Names that are no words are in quotes. A column of classes holds whole numbers, "
    "or texts, which are numbered in sorted order and head the predictions (`p_setosa`); `nan` is neither.",
    reader="csv_file.read_csv",
    file="a CSV file",
    ending=".csv",
    form='csv("file", x = [columns])',
    plain=PLAIN,
    modules=("csv",),
    table=True,
    located=True,
)
