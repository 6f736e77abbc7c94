"""Every code block of README, CONTRIBUTING, CHANGELOG and docs/ is run. CONTRIBUTING says how blocks are marked."""

import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def load(path: Path):
    spec = importlib.util.spec_from_file_location(f"documentation_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


blocks, served = (load(ROOT / "docs" / f"{name}.py") for name in ("blocks", "served"))


@pytest.fixture(scope="module")
def terminal():
    """Where `dotnn` is quick to start."""
    with served.serving(blocks.terminal()) as environment:
        yield environment


@pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])
def test_the_blocks_of_a_page(page: Path, tmp_path: Path, request: pytest.FixtureRequest):
    """The README's commands are started as a reader starts them, those of all other pages by a process that waits."""
    environment = None if page.name == "README.md" else request.getfixturevalue("terminal")
    for outcome in blocks.run_page(page.read_text(encoding="utf-8"), tmp_path, environment):
        assert not outcome.wrong, f"{page.name}:{outcome.block.line}: {outcome.wrong}"


@pytest.mark.parametrize(
    ("shown", "real", "expected"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\n", "a\nb\n", False),
        ("a\n…\nc\n", "a\nb\nb\nc\n", True),
        ("a\n…\n", "a\n", True),
        ("loss 0.1…\n", "loss 0.123\n", True),
        ("loss 0.1…\n", "loss 0.223\n", False),
        ("error 1.2e-16 ok\n", "error 3.4e-15 ok\n", True),
        ("error 1.2e-16 ok\n", "error 3.4e-05 ok\n", False),
        ("error 0.0e+00 ok\n", "error 1.2e-16 ok\n", True),
        ("error 0.0e+00 ok\n", "error 1.0e+00 ok\n", False),
    ],
)
def test_fits(shown: str, real: str, expected: bool):
    assert blocks.fits(shown, real) is expected


def test_a_served_command_does_what_a_started_one_does(terminal, tmp_path: Path):
    """Its words, folder, streams, status, and variables: those of Python start it anew."""
    text = """
      mkdir -p inner && cd inner
      dotnn compile "no such.nn" "" && echo fine || echo "ended with $?"
      echo "model" | dotnn compile - 2> errors || echo "ended with $?"; cat errors
      PYTHONPATH="$PYTHONPATH:." dotnn --version"""
    wanted = blocks.run(["bash", "-c", text], tmp_path, blocks.terminal())
    assert blocks.run(["bash", "-c", text], tmp_path, terminal) == wanted
    assert wanted[0] == 0 and wanted[1].count("ended with") == 2


def test_renewing_a_page_replaces_its_output(tmp_path: Path):
    page = "a\n```sh\necho 1; echo 2\n```\n```output\nold\n```\nb\n```sh\nfalse\n```\n"
    outcomes = list(blocks.run_page(page, tmp_path))
    assert [bool(o.wrong) for o in outcomes] == [False, True, True]
    assert blocks.renewed(page, outcomes) == page.replace("old", "1\n2")


def test_every_link_inside_the_repository_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """What the headings of a page are linked by: lower case, marks left out, blanks as hyphens, numbered if alike."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found: Counter[str] = Counter()
    names = set()
    for heading in re.findall(r"^#+ (.+?) *$", text, flags=re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        names.add(f"{name}-{found[name]}" if found[name] else name)
        found[name] += 1
    return names


def test_every_link_to_a_heading_leads_to_one():
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")):
            assert anchor in anchors(page.parent / target if target else page), f"{page.name}: {target}#{anchor}"
