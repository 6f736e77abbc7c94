"""The samples that the language was designed by compile as they stand, and their gradients are right."""

import pytest
from support import ROOT

from dotnn.session import Options, compile_spec
from dotnn_runtime.gradcheck import Verdict, check_script

SAMPLES = sorted((ROOT / "tests" / "syntax" / "samples").glob("*.nn"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_sample(sample, style):
    script = compile_spec(str(sample), Options(style), check=True).script
    assert check_script(script, f"{sample.stem}.py", v4=False).verdict is Verdict.PASS
