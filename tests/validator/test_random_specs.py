"""No false alarm: the validator passes whatever the compiler makes of random valid specs, in both styles.

The long run, thousands of specs with figures, from a seed of one's choice:

    DOTNN_LONG=2000 DOTNN_SEED=1 OPENBLAS_NUM_THREADS=1 python -m pytest -s tests/validator
"""

import os
import re

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from strategies import specs
from support import STYLES
from validator.audit import Audit

from dotnn.layers import LAYERS

LONG = int(os.environ.get("DOTNN_LONG", "0"))
SEED = int(os.environ.get("DOTNN_SEED", "0"))
SHORT = 60

MEDIAN, LARGEST, SECOND_ORACLE = 1e-14, 1e-11, 1e-8


def unhurried(count: int, **options):
    return settings(
        max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), database=None, **options
    )


@pytest.mark.parametrize("style", STYLES)
def test_no_false_alarm(style):
    @unhurried(SHORT, derandomize=True)
    @given(specs())
    def run(text):
        audit = Audit()
        audit.look_at(text, style)
        assert not audit.findings, audit.findings[0]
        assert max(audit.errors, default=0.0) <= LARGEST
        assert max(audit.disagreements, default=0.0) <= SECOND_ORACLE

    run()


@pytest.mark.skipif(not LONG, reason="set DOTNN_LONG to a number of specs")
def test_no_false_alarm_among_many():
    audit, seen = Audit(), set()

    @seed(SEED)
    @unhurried(LONG, phases=[Phase.generate])
    @given(specs())
    def run(text):
        if text not in seen:
            for style in STYLES:
                audit.look_at(text, style)
            seen.add(text)

    run()
    print(f"\nseed {SEED}: {len(seen)} different specs, {audit.summary()}")
    print(*audit.findings, sep="\n\n")
    assert not audit.findings
    assert audit.median <= MEDIAN
    assert max(audit.errors) <= LARGEST
    assert max(audit.disagreements) <= SECOND_ORACLE


def test_every_layer_is_drawn():
    missing = set(LAYERS)

    @unhurried(500, derandomize=True, phases=[Phase.generate])
    @given(specs())
    def run(text):
        missing.difference_update(re.findall(r"\w+", text.replace(" + ", " sum ").replace(" * ", " multiply ")))

    run()
    assert not missing
