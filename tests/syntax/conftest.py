import dataclasses
from pathlib import Path

import pytest

from dotnn.core.diagnostics import Source, Span
from dotnn.syntax import nodes


def without_spans(value):
    """A node as plain tuples, so that two texts of one meaning compare equal."""
    if isinstance(value, nodes.Node):
        fields = (getattr(value, field.name) for field in dataclasses.fields(value) if field.name != "span")
        return (type(value).__name__, *(without_spans(field) for field in fields))
    if isinstance(value, tuple):
        return tuple(without_spans(item) for item in value)
    return value


def all_nodes(value):
    """Every node below (and with) a node."""
    if isinstance(value, nodes.Node):
        yield value
        for field in dataclasses.fields(value):
            yield from all_nodes(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from all_nodes(item)


class Trees:
    """What the tests of this folder share."""

    plain = staticmethod(without_spans)
    nodes = staticmethod(all_nodes)

    @staticmethod
    def text(source: Source, span: Span) -> str:
        return source.text[span.start : span.end]


@pytest.fixture(scope="session")
def trees():
    return Trees


def pytest_generate_tests(metafunc):
    """Give `sample` every spec there is: those of this folder and those of the repository."""
    if "sample" in metafunc.fixturenames:
        here = Path(__file__).parent
        paths = sorted(here.glob("samples/*.nn")) + sorted(here.parent.parent.glob("specs/**/*.nn"))
        sources = [Source(path.name, path.read_text(encoding="utf-8")) for path in paths]
        metafunc.parametrize("sample", sources, ids=[f"{path.parent.name}-{path.stem}" for path in paths])
