"""Seeded, optionally stratified splits into parts such as train, val and test."""

import numpy as np

from dotnn_runtime.script.errors import DataError


def split_indices(
    n: int, fractions: dict[str, float], seed: int, stratify: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Split `0…n-1` at random into the parts of `fractions`, `{"train": 0.8, "val": 0.1, "test": 0.1}`.

    Every index falls into exactly one part; the indices of a part are ascending. The sizes are n times the
    fractions, rounded by largest remainders. With `stratify`, labels of shape `(n,)`, every class has in
    every part its own size times the fraction to within one example (with more than three parts, their sizes
    may then be off by one). Same arguments, same split. Raises DataError for fractions that are negative or
    do not sum to 1, and where a part with a fraction above 0 would be empty.
    """
    labels = np.zeros(n, dtype=int) if stratify is None else np.asarray(stratify)
    if labels.shape != (n,):
        raise DataError(f"a stratified split needs labels of shape ({n},), not {labels.shape}")
    shares, totals = part_sizes(n, fractions, "examples")
    sizes = np.unique(labels, return_counts=True)[1]
    rng = np.random.default_rng(seed)
    # Shuffled, then sorted by class (stable): the members of every class stand together, in random order.
    order = rng.permutation(n)
    order = order[np.argsort(labels[order], kind="stable")]
    part = np.concatenate(
        [np.repeat(np.arange(len(shares)), row) for row in class_counts(sizes, shares, totals)]
    )
    return {name: np.sort(order[part == i]) for i, name in enumerate(fractions)}


def split_in_order(keys: np.ndarray, fractions: dict[str, float]) -> dict[str, np.ndarray]:
    """Split examples in the order of their `keys`, `(n,)`, numbers or texts: the first go to the first part.

    Equal keys stay in the order of their places. Sizes, indices and errors are those of `split_indices`.
    """
    totals = part_sizes(len(keys), fractions, "examples")[1]
    order = np.argsort(keys, kind="stable")
    return dict(zip(fractions, map(np.sort, np.split(order, np.cumsum(totals)[:-1])), strict=True))


def split_groups(groups: np.ndarray, fractions: dict[str, float], seed: int) -> dict[str, np.ndarray]:
    """Split examples at random so that those of one group, equal in `groups`, `(n,)`, go to one part.

    The fractions are of the groups, not of the examples (as in scikit-learn's GroupShuffleSplit); indices and
    errors are those of `split_indices`.
    """
    names, number = np.unique(groups, return_inverse=True)
    totals = part_sizes(len(names), fractions, "groups")[1]
    drawn = np.split(np.random.default_rng(seed).permutation(len(names)), np.cumsum(totals)[:-1])
    return {part: np.flatnonzero(np.isin(number, some)) for part, some in zip(fractions, drawn, strict=True)}


def join_parts(parts: dict[str, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the examples of several parts, one part after the other, with the `part` that each is of.

    Raises DataError where arrays of two parts differ in shape.
    """
    joined = {}
    for name in next(iter(parts.values())):
        shapes = {part: arrays[name].shape[1:] for part, arrays in parts.items()}
        if len(set(shapes.values())) > 1:
            listed = ", ".join(f"{shape} in {part}" for part, shape in shapes.items())
            raise DataError(f"the examples of {name} differ in shape: {listed}", help="store all alike")
        joined[name] = np.concatenate([arrays[name] for arrays in parts.values()])
    counts = [len(next(iter(arrays.values()))) for arrays in parts.values()]
    joined["part"] = np.repeat(list(parts), counts)
    return joined


def rows_of_part(part: np.ndarray, name: str) -> np.ndarray:
    """Return the places of a part, given the part of each example, `(n,)`.

    DataError where it is empty.
    """
    rows = np.flatnonzero(part == name)
    if not len(rows):
        raise DataError(f"no example is of the part {name}", help="say of each: train, val or test")
    return rows


def part_sizes(n: int, fractions: dict[str, float], what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of the parts, and how many of `n` examples or groups, `what`, each part gets.

    Raises DataError for fractions that are negative or do not sum to 1, and where a part would be empty.
    """
    shares = np.array(list(fractions.values()), dtype=float)
    if not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-9:
        raise DataError(f"the parts of a split must be 0 or more and sum to 1: {fractions}")
    totals = round_to_sum(n * shares, n)
    for name, share, total in zip(fractions, shares, totals, strict=True):
        if share > 0 and total == 0:
            raise DataError(f"the part {name} would be empty: {share:.3g} of {n} {what}")
    return shares, totals


def class_counts(sizes: np.ndarray, shares: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return how many examples of each class go into each part, shape `(classes, parts)`.

    Rows sum to `sizes`, columns to `totals`, and no count is off `size * share` by more than one. What is
    left after rounding down goes, class by class, to the parts that still need most: the greedy of Ryser
    (1957), which finds a table of zeros and ones with given row and column sums whenever there is one (always
    with up to three parts).
    """
    exact = sizes[:, None] * shares
    counts: np.ndarray = np.floor(exact + 1e-9).astype(int)
    for row, size, wanted in zip(counts, sizes, exact, strict=True):
        need = totals - counts.sum(axis=0)
        neediest = np.lexsort((row - wanted, -need))
        row[neediest[: size - row.sum()]] += 1
    return counts


def round_to_sum(exact: np.ndarray, total: int) -> np.ndarray:
    """Round `exact` to integers that sum to `total`: down, then up again where the remainders are largest."""
    counts: np.ndarray = np.floor(exact + 1e-9).astype(int)
    largest = np.argsort(counts - exact, kind="stable")
    counts[largest[: total - counts.sum()]] += 1
    return counts


def some_rows(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return `count` of these rows, drawn at random, ascending; all of them where there are no more."""
    return np.sort(np.random.default_rng(seed).permutation(rows)[:count])
