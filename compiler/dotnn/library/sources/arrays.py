"""Arrays of inputs and targets, each in a file of its own."""

from dotnn.library.sources.base import DataSource

IDX_PLAIN = '''
def read_idx(path):
    """Return the array of an IDX file, the format of the MNIST digits, plain or packed by gzip."""
    opened = gzip.open if str(path).endswith(".gz") else open
    with opened(path, "rb") as file:
        content = file.read()
    dtype = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}[content[2]]
    shape = np.frombuffer(content, ">i4", content[3], offset=4)
    return np.frombuffer(content, dtype, offset=4 + 4 * content[3]).reshape(shape)
'''

ARRAYS = DataSource(
    "arrays",
    "A file for each input and target. `x = npy(…)` and `y = idx(…)` without it say the same; a part of such files "
    "needs it, `test = arrays(…)`.",
    reader="",
    file="a file for each array",
    ending="",
    form='arrays(x = npy("x.npy"), y = idx("y.gz"))',
    plain="",
    wraps="files",
)
NPY = DataSource(
    "npy",
    "One array as `numpy.save` writes it. It stays in its file, mapped into memory, so that it may be larger.",
    reader="array_files.read_npy",
    file="an .npy file",
    ending=".npy",
    form='npy("file.npy")',
    plain='np.load({path}, mmap_mode="r")',
    single=True,
)
IDX = DataSource(
    "idx",
    "One array in the IDX format of the MNIST digits, plain or packed by gzip; images hold 0 to 255, as stored.",
    reader="array_files.read_idx",
    file="an IDX file",
    ending="-ubyte",
    form='idx("file.gz")',
    plain="read_idx({path})",
    helper=IDX_PLAIN,
    modules=("gzip",),
    single=True,
)
