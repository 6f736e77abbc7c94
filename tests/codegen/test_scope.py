"""Names of a function: the shortest that are distinct, and none of Python's or of the function's own words."""

from hypothesis import given
from hypothesis import strategies as st

from dotnn.codegen.names import WORDS, Scope

PATHS = st.lists(
    st.lists(st.sampled_from(["a", "b", "f", "dense1", "sum", "1", "np"]), min_size=1, max_size=3), max_size=8
)


def candidates(path: list[str]) -> list[str]:
    return ["_".join(path[-k:]) for k in range(1, len(path) + 1)]


@given(PATHS)
def test_names_are_distinct_identifiers(paths):
    scope = Scope({"np"})
    scope.add({i: candidates(path) for i, path in enumerate(paths)})
    names = list(scope.names.values())
    assert len(set(names)) == len(paths)
    assert all(name.isidentifier() and name not in WORDS and name != "np" for name in names)


def test_equals_are_treated_alike():
    """Where two values want one name, both get a longer one."""
    scope = Scope()
    scope.add({1: ["norm", "a_norm"], 2: ["norm", "f_norm"], 3: ["dense", "f_dense"]})
    assert scope.names == {1: "a_norm", 2: "f_norm", 3: "dense"}


def test_what_is_named_first_keeps_its_name():
    scope = Scope()
    scope.add({1: ["x"]})
    scope.add({2: ["x", "h_x"]})
    assert scope.names == {1: "x", 2: "h_x"}
