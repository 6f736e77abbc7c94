"""The specs of the repository are healthy, and `dotnn doctor` says so; but for the one that shows a fault."""

from seeing.watching import compiled, watched

from dotnn.reports.findings import diagnosis


def test_nothing_is_found_in_a_healthy_spec(path):
    begun = compiled(path.read_text(encoding="utf-8"), path)
    found = [fault.finding for fault in diagnosis(watched(begun, seed=begun.model.train.seed))]
    assert found == (["gradient_flow", "constant_guess"] if path.stem == "vanishing" else [])
