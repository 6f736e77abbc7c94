"""Arrays of NumPy, of any shape, by their keys."""

from dotnn.library.sources.base import DataSource

NPZ = DataSource(
    "npz",
    "Arrays by their keys, as `numpy.savez` writes them. The first axis counts the examples.",
    reader="npz_file.read_npz",
    file="an npz file",
    ending=".npz",
    form='npz("file", x = key)',
    plain="np.load(path)",
)
