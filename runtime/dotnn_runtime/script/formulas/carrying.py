"""States that go on from batch to batch: row k goes on where row k of the batch before has ended."""

import numpy as np


def rows_of_state(state, count):
    """The first `count` rows of a state; zeros where it has fewer."""
    missing = np.zeros((max(0, count - len(state)), *state.shape[1:]), state.dtype)
    return np.concatenate([state[:count], missing])


def with_rows(state, rows):
    """A state with these rows as its first ones; a batch that is shorter leaves the others as they were."""
    return np.concatenate([rows[: len(state)], state[len(rows) :]])
