"""Every malformed spec in `cases/` says exactly what stands in the text beside it. A new pair joins by itself."""

import re

import pytest
from errors.runner import CASES, SPECS, fits, run_case

LONGEST = 1.0


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory):
    """The first command of a process imports and builds what all later ones share."""
    run_case(SPECS[0], tmp_path_factory.mktemp("warm"))


@pytest.mark.parametrize("spec", SPECS, ids=[p.stem for p in SPECS])
def test_it_says(spec, tmp_path):
    outcome = run_case(spec, tmp_path)
    expected = spec.with_suffix(".txt").read_text(encoding="utf-8")
    assert outcome.stderr == expected or fits(expected, outcome.stderr)  # the first shows where they differ
    assert outcome.exit_code == 1
    assert outcome.stdout == ""
    assert outcome.seconds < LONGEST


@pytest.mark.parametrize(
    ("expected", "said", "fitting"),
    [
        ("known: […]adam, […]\n", "known: adagrad, adam, sgd\n", True),
        ("known: […]adam, […]\n", "known: adam, sgd\n", True),
        ("known: […]adam, […]\n", "known: adagrad, sgd\n", False),
        ("known: […]adam, […]\nfix", "known: adam, sgd\nother\nfix", False),
        ("a.b\n", "axb\n", False),
    ],
)
def test_a_list_that_may_grow(expected, said, fitting):
    assert fits(expected, said) is fitting


def test_there_are_enough():
    assert len(SPECS) >= 60


WITHOUT_A_PLACE = {"empty", "only_a_comment", "only_blanks"}


@pytest.mark.parametrize("spec", SPECS, ids=[p.stem for p in SPECS])
def test_it_has_all_parts(spec):
    """Code, place, line with a caret below the culprit, and what to do about it."""
    text = spec.with_suffix(".txt").read_text(encoding="utf-8")
    *errors, count = text.rstrip("\n").split("\n\n")
    assert count == ("1 error" if len(errors) == 1 else f"{len(errors)} errors")
    for error in errors:
        head, *rest = error.split("\n")
        assert re.fullmatch(r"error\[NN\d{3}\]: .+", head)
        assert any(line.startswith("  help: ") for line in rest)
        if spec.stem not in WITHOUT_A_PLACE:
            assert re.match(r"  \S.*:\d+:\d+ \|", rest[0])
            assert re.search(r"\| +\^+", rest[1])


def test_texts_without_a_spec():
    texts = {p.relative_to(CASES).with_suffix("") for p in CASES.rglob("*.txt") if p.parent != CASES / "data"}
    assert not texts - {p.relative_to(CASES).with_suffix("") for p in SPECS}


@pytest.mark.parametrize("spec", SPECS, ids=[p.stem for p in SPECS])
def test_it_is_in_the_folder_of_its_code(spec):
    assert spec.with_suffix(".txt").read_text(encoding="utf-8").startswith(f"error[{spec.parent.name}]")
