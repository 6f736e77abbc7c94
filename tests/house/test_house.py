"""What the repository must not hold, and what its pieces promise each other."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from dotnn import __version__

ROOT = Path(__file__).resolve().parents[2]
TOP = {
    ".ci", ".git", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "benchmarks",
    "compiler", "docs", "grammar", "pyproject.toml", "runtime", "specs", "tests",
}  # fmt: skip
SOURCES = ("compiler", "runtime", "grammar", "specs", "benchmarks", "docs", ".ci")
TEXT = {".py", ".md", ".nn", ".j2", ".lark", ".toml", ".sh", ""}
HARD_PATH = re.compile(r"(?<![\w.$}/\"'`)])/(?:work|tmp|home|root|Users|opt)/")
CLOCK = re.compile(r"datetime\.(?:now|today|utcnow)|time\.(?:time|ctime|strftime|localtime|gmtime)\(|date\.today")


def tracked() -> list[Path]:
    """The files of the repository: git's list where there is one, else everything that is no build output."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0 and done.stdout:
        return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]
    return [
        p
        for name in (*SOURCES, "tests")
        for p in (ROOT / name).rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    ]


FILES = tracked()


def texts(*folders: str) -> list[tuple[Path, str]]:
    chosen = [p for p in FILES if p.relative_to(ROOT).parts[0] in folders and p.suffix in TEXT]
    return [(p.relative_to(ROOT), p.read_text(encoding="utf-8")) for p in chosen]


def test_the_top_level_is_as_prescribed():
    assert {p.relative_to(ROOT).parts[0] for p in FILES} <= TOP


def test_no_path_of_one_machine_is_written_down():
    found = [f"{path}: {m[0]}" for path, text in texts(*SOURCES) for m in HARD_PATH.finditer(text)]
    assert not found


def test_nothing_emitted_depends_on_the_clock():
    emitting = texts("compiler") + [(p, t) for p, t in texts("runtime") if "script" in p.parts]
    assert not [str(path) for path, text in emitting if CLOCK.search(text)]


def test_no_file_is_large_without_reason():
    large = [str(p.relative_to(ROOT)) for p in FILES if p.stat().st_size > 1_000_000]
    assert not large


def test_one_version():
    with open(ROOT / "pyproject.toml", "rb") as file:
        assert tomllib.load(file)["project"]["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_gate_can_be_run():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("word", ["demo", "test", "quick", "fuzz", "lint", "format", "bench", "clean"])
def test_make_knows(word: str):
    assert re.search(rf"^{word}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_no_module_hides_a_library():
    names = {p.stem for p in FILES if p.suffix == ".py"}
    assert not names & {"ast", "numpy", "tensorflow"}


@pytest.mark.parametrize("package", ["compiler/dotnn", "runtime/dotnn_runtime"])
def test_files_stay_small(package: str):
    long = {
        str(p.relative_to(ROOT)): n
        for p in (ROOT / package).rglob("*.py")
        if (n := len(p.read_text().splitlines())) > 460
    }
    assert not long


PAGES = [p for p in FILES if p.suffix == ".md" and p.name != "CHANGELOG.md"]
NAMED = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)`|\]\(([^)#:]+)(?:#[^)]*)?\)")
BASES = ("", "compiler/dotnn", "runtime/dotnn_runtime", "docs", "tests")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def there_is(page: Path, path: str, *, link: bool) -> bool:
    """A link leads from its page; a path, from there, the root or a package; a mere file name, from anywhere."""
    if link:
        return (page.parent / path).exists()
    if "/" in path:
        path = path.removesuffix("NAME.py")  # stands for another
        return any((base / path).exists() for base in (page.parent, *(ROOT / base for base in BASES)))
    is_file = path.endswith((".py", ".md")) and not path.startswith(("SPEC", "SCRIPT"))  # these stand for another
    return not is_file or any(p.name == path for p in FILES)


@pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])
def test_what_a_page_names_exists(page: Path):
    """Outside of code blocks, which have a test of their own."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    named = [(plain or linked, bool(linked)) for plain, linked in NAMED.findall(text)]
    assert not [path for path, link in named if not there_is(page, path, link=link)]
