"""Tables as text with tabs between the cells."""

from dotnn.library.sources import DataSource

PLAIN = '''
def read_tsv(path, columns):
    """Return the named columns as an array of texts, one row for each example."""
    with open(path, encoding="utf-8") as file:
        header, *rows = [line.rstrip("\\n").split("\\t") for line in file]
    return np.array(rows)[:, [header.index(column) for column in columns]]
'''

TSV = DataSource(
    "tsv",
    "Columns with tabs between them.",
    reader="tsv_file.read_tsv",
    file="a TSV file",
    ending=".tsv",
    form='tsv("file", x = [columns])',
    plain=PLAIN,
    table=True,
)
