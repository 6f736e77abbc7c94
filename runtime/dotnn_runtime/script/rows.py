"""Large data in memory once: parts are rows of the arrays as they came, prepared where they are read."""

import math
import typing

import numpy as np


class Rows:
    """Some rows of an array, prepared and cast where they are read; `rows` None takes all.

    It reads as an array `(n, *shape)` of `dtype` does, by slices and by arrays of indices: `part[chosen]`,
    `len(part)`, `np.take`, `np.asarray`. `steps` are the functions that prepare an array, one after the
    other; none of them changes its shape. Without a `dtype` texts are read as they are, all else as
    float64. `ones` puts a 1 behind each row of numbers, see `with_ones`.
    """

    def __init__(
        self,
        values: np.ndarray,
        rows: np.ndarray | None = None,
        dtype: typing.Any = None,
        steps: tuple[typing.Callable[[np.ndarray], np.ndarray], ...] = (),
        *,
        ones: bool = False,
    ) -> None:
        self.values, self.steps, self.ones = values, steps, ones
        own = values.dtype if values.dtype.kind == "U" else np.float64
        self.dtype = np.dtype(own if dtype is None else dtype)
        self.rows, self.whole = np.arange(len(values)) if rows is None else rows, rows is None
        self.shape = (len(self.rows), *values.shape[1:])
        if ones:
            self.shape = (*self.shape[:-1], self.shape[-1] + 1)
        self.nbytes = int(np.prod(self.shape)) * self.dtype.itemsize

    def like(self, **changes: typing.Any) -> typing.Self:
        """Return the same rows with another `dtype`, other `steps`, or `ones`."""
        kept = {"dtype": self.dtype, "steps": self.steps, "ones": self.ones}
        return type(self)(self.values, None if self.whole else self.rows, **{**kept, **changes})

    @property
    def as_they_lie(self) -> bool:
        """Whether nothing is done to the numbers where they are read."""
        return not (self.steps or self.ones) and self.values.dtype == self.dtype

    def then(self, step: typing.Callable[[np.ndarray], np.ndarray]) -> typing.Self:
        """Return the rows with one more step."""
        return self.like(steps=(*self.steps, step))

    @property
    def fits_over(self) -> bool:
        """Whether the prepared numbers can be written over the raw ones."""
        own = self.values
        lies = own.flags.writeable and own.flags.c_contiguous and own.dtype.kind in "biuf"
        return lies and self.dtype.itemsize <= own.dtype.itemsize

    def over(self) -> np.ndarray:
        """Prepare all rows of the array, those of others, too, in its own memory; return that as an array.

        Where a number takes less memory than before, every piece ends before the raw numbers that are left.
        """
        if self.as_they_lie:
            return self.values
        whole = Rows(self.values, None, self.dtype, self.steps)
        memory = self.values.reshape(-1).view(self.dtype)
        over = memory[: self.values.size].reshape(self.values.shape)
        with np.errstate(all="ignore"):  # of rows that no part has
            for piece in pieces(whole.shape, 2**15):
                over[piece] = whole[piece]
        return over

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: typing.Any) -> np.ndarray:
        out = None
        if self.whole and isinstance(chosen, slice) and not self.ones:
            # These lie as they did: sums and products of arrays that lie otherwise round otherwise.
            out = np.empty_like(self.values[chosen], self.dtype)
        return self.read(self.rows[chosen], out)

    def __array__(self, dtype: typing.Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype, copy=False)

    def reshape(self, *shape: int) -> np.ndarray:
        """Return the numbers in another shape."""
        return np.asarray(self).reshape(*shape)

    def min(self, axis: int) -> np.ndarray:
        """Return the minimum of every feature, over the rows: `axis` is 0."""
        least: np.ndarray = np.min([self[piece].min(axis=axis) for piece in pieces(self.shape)], axis=0)
        return least

    def max(self, axis: int) -> np.ndarray:
        """Return the maximum of every feature, over the rows: `axis` is 0."""
        most: np.ndarray = np.max([self[piece].max(axis=axis) for piece in pieces(self.shape)], axis=0)
        return most

    def take(self, chosen: np.ndarray, axis: int = 0, out: typing.Any = None, mode: str = "") -> np.ndarray:
        """Write the chosen rows into `out`: `np.take(part, chosen, 0, out)` calls this."""
        return self.read(self.rows[chosen], out)

    def read(self, rows: np.ndarray, out: typing.Any = None) -> np.ndarray:
        """Return these rows of the array, prepared, in pieces that stay in the processor's cache."""
        found: np.ndarray = np.empty((len(rows), *self.shape[1:]), self.dtype) if out is None else out
        numbers = found
        if self.as_they_lie and found.dtype == self.dtype:
            return self.values.take(rows, 0, found, mode="clip")  # in one pass
        if self.ones:
            found[..., -1] = 1
            numbers = found[..., :-1]
        for piece in pieces(found.shape, 2**15):
            some = self.values[rows[piece]]
            for step in self.steps:
                some = step(some)
            numbers[piece] = some
        return found


def pieces(shape: tuple[int, ...], numbers: int = 2**18) -> typing.Iterator[typing.Any]:
    """Yield slices of the first axis that cut an array into pieces of about so many numbers, or of a row.

    What has no axis is one piece.
    """
    if not shape:
        yield ...
        return
    length = numbers // max(1, math.prod(shape[1:])) + 1
    for start in range(0, shape[0], length):
        yield slice(start, start + length)


def as_rows(values: np.ndarray | Rows, dtype: typing.Any) -> np.ndarray | Rows:
    """Return the values of prepared examples in `dtype`: arrays as arrays, `Rows` as they are."""
    return values if isinstance(values, Rows) else np.asarray(values, dtype)


def as_arrays(examples: dict[str, typing.Any]) -> dict[str, np.ndarray]:
    """Return examples as arrays: copies of `Rows`, arrays as they are."""
    return {name: np.asarray(values) for name, values in examples.items()}


def with_ones(values: np.ndarray | Rows) -> np.ndarray | Rows:
    """Return the rows with a 1 behind each: what multiplies the bias."""
    if isinstance(values, Rows):
        return values.like(ones=True)
    return np.hstack([values, np.ones((len(values), 1), values.dtype)])
