"""Writes what each case says now beside it, to be read by a person: python tests/errors/accept.py [NAME …]"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from runner import SPECS, fits, run_case

for spec in SPECS:
    if len(sys.argv) < 2 or spec.stem in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as scratch:
            outcome = run_case(spec, Path(scratch))
        if outcome.exit_code != 1:
            sys.exit(f"{spec.name}: exit code {outcome.exit_code}, not 1")
        beside = spec.with_suffix(".txt")
        if not (beside.exists() and fits(beside.read_text(encoding="utf-8"), outcome.stderr)):
            beside.write_text(outcome.stderr, encoding="utf-8")
