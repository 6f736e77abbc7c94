"""Where the grammar is: beside the package in a wheel, at the root of a checkout."""

from __future__ import annotations

from pathlib import Path

import dotnn

NAME = "nn.lark"


def grammar_path() -> Path:
    """Return the path of `nn.lark`, as installed or in a checkout."""
    package = Path(dotnn.__file__).resolve().parent
    candidates = [package / "grammar" / NAME, package.parent.parent / "grammar" / NAME]
    for path in candidates:
        if path.is_file():
            return path
    raise FileNotFoundError(f"the grammar is missing: neither {candidates[0]} nor {candidates[1]} exists")
