"""No false alarm: the validator passes whatever the compiler makes of random valid specs, in both styles.

The long run, thousands of specs with figures, from a number of one's choice:

    DOTNN_LONG=2000 DOTNN_SEED=1 OPENBLAS_NUM_THREADS=1 python -m pytest -s tests/validator
"""

import os

import pytest
from fuzz.grow import spec
from support import STYLES
from validator.audit import Audit

LONG = int(os.environ.get("DOTNN_LONG", "0"))
SEED = int(os.environ.get("DOTNN_SEED", "0"))
SHORT = 6

MEDIAN, LARGEST, SECOND_ORACLE = 1e-14, 1e-11, 1e-8


@pytest.mark.parametrize("style", STYLES)
def test_no_false_alarm(style):
    audit = Audit()
    for number in range(SHORT):
        audit.look_at(spec(number, files=False), style)
    assert not audit.findings, audit.findings[0]
    assert max(audit.errors) <= LARGEST
    assert max(audit.disagreements) <= SECOND_ORACLE


@pytest.mark.skipif(not LONG, reason="set DOTNN_LONG to a number of specs")
def test_no_false_alarm_among_many():
    audit = Audit()
    for number in range(SEED * LONG, (SEED + 1) * LONG):
        for style in STYLES:
            audit.look_at(spec(number, files=False), style)
    print(f"\nfrom number {SEED * LONG} on: {LONG} specs, {audit.summary()}")
    print(*audit.findings, sep="\n\n")
    assert not audit.findings
    assert audit.median <= MEDIAN
    assert max(audit.errors) <= LARGEST
    assert max(audit.disagreements) <= SECOND_ORACLE
