"""While the compiler moves house no byte of any script changes: every spec, on every target, in every style.

`python tests/house/test_bytes.py` writes down what the scripts are now, where a change is meant.
"""

import hashlib
import json
import os
from pathlib import Path

import pytest

from dotnn.session import Options, compile_spec

ROOT = Path(__file__).resolve().parents[2]
HASHES = Path(__file__).with_name("bytes.json")
VARIANTS = {
    "explain": Options(),
    "explain with inputs": Options(input_gradients=True),
    "fast": Options("fast"),
    "fast with inputs": Options("fast", input_gradients=True),
    "tensorflow": Options(target="tensorflow"),
}
SPECS = [str(p.relative_to(ROOT)) for folder in ("specs", "benchmarks/specs") for p in (ROOT / folder).glob("*.nn")]


def hashes(spec: str) -> dict[str, str]:
    scripts = {name: compile_spec(spec, options).script for name, options in VARIANTS.items()}
    return {name: hashlib.sha256(script.encode()).hexdigest()[:16] for name, script in scripts.items()}


@pytest.mark.parametrize("spec", sorted(SPECS))
def test_no_byte_has_changed(spec, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert hashes(spec) == json.loads(HASHES.read_text(encoding="utf-8"))[spec]


if __name__ == "__main__":
    os.chdir(ROOT)
    HASHES.write_text(json.dumps({s: hashes(s) for s in sorted(SPECS)}, indent=1) + "\n", encoding="utf-8")
