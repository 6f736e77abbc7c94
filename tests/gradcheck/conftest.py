from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.fixture(scope="session")
def script():
    """Return the text of a script by its name, with pieces of it replaced."""

    def read(name: str, *replacements: tuple[str, str]) -> str:
        text = (SCRIPTS / f"{name}.py").read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text, old
            text = text.replace(old, new)
        return text

    return read
