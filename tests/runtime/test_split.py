import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dotnn_runtime.script.data import DataError
from dotnn_runtime.script.split import split_indices

PARTS = {"train": 0.8, "val": 0.1, "test": 0.1}


def test_every_example_is_in_exactly_one_part_ascending():
    parts = split_indices(103, PARTS, 7)
    assert {name: len(part) for name, part in parts.items()} == {"train": 83, "val": 10, "test": 10}
    assert sorted(np.concatenate(list(parts.values()))) == list(range(103))
    assert all((np.diff(part) > 0).all() for part in parts.values())


def test_the_seed_decides():
    first, again, other = (split_indices(50, PARTS, seed)["test"].tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_examples_are_drawn_evenly():
    counts = np.zeros(20)
    for seed in range(2000):
        counts[split_indices(20, {"train": 0.75, "test": 0.25}, seed)["test"]] += 1
    assert abs(counts / 2000 - 0.25).max() < 0.05


def test_a_part_may_be_zero():
    parts = split_indices(5, {"train": 1.0, "val": 0.0}, 0)
    assert (len(parts["train"]), len(parts["val"])) == (5, 0)


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"train": 0.5, "test": 0.4}, "sum to 1"),
        ({"train": 1.5, "test": -0.5}, "sum to 1"),
        ({"train": float("nan"), "test": 0.5}, "sum to 1"),
        ({"train": 0.99, "test": 0.01}, "test would be empty: 0.01 of 9"),
    ],
)
def test_bad_fractions(fractions, message):
    with pytest.raises(DataError, match=message):
        split_indices(9, fractions, 0)


def test_labels_must_be_one_per_example():
    with pytest.raises(DataError, match=r"\(9,\), not \(9, 2\)"):
        split_indices(9, PARTS, 0, np.zeros((9, 2)))


def test_strings_can_be_strata():
    parts = split_indices(20, {"train": 0.5, "test": 0.5}, 0, np.array(["a", "b"] * 10))
    assert (parts["train"] % 2).sum() == 5


@settings(max_examples=300)
@given(
    st.lists(st.integers(0, 5), min_size=30, max_size=120),
    st.lists(st.integers(5, 100), min_size=1, max_size=3),
    st.integers(0, 99),
)
def test_strata_keep_their_proportions_within_one_and_totals_are_those_of_a_plain_split(labels, weights, seed):
    labels = np.array(labels)
    fractions = {f"part{i}": weight / sum(weights) for i, weight in enumerate(weights)}
    parts = split_indices(len(labels), fractions, seed, stratify=labels)
    plain = split_indices(len(labels), fractions, seed)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(len(labels)))
    for name, fraction in fractions.items():
        assert len(parts[name]) == len(plain[name])
        assert abs(len(parts[name]) - len(labels) * fraction) < 1
        for label in np.unique(labels):
            exact = np.sum(labels == label) * fraction
            assert abs(np.sum(labels[parts[name]] == label) - exact) <= 1 + 1e-9
