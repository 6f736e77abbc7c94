import os
import subprocess
import sys

import pytest

import dotnn
from dotnn.core.diagnostics import Source
from dotnn.model.definitions import KINDS
from dotnn.syntax import build, grammar_file, nodes, parse
from dotnn.syntax.scan import DEFINITIONS, KEYWORDS, scan


def test_the_grammar_is_found_beside_the_package_first(tmp_path, monkeypatch):
    package = tmp_path / "lib" / "dotnn"
    (package / "grammar").mkdir(parents=True)
    (package / "grammar" / "nn.lark").write_text("x")
    (tmp_path / "grammar").mkdir()
    (tmp_path / "grammar" / "nn.lark").write_text("y")
    monkeypatch.setattr(dotnn, "__file__", str(package / "__init__.py"))
    assert grammar_file.grammar_path().read_text() == "x"
    (package / "grammar" / "nn.lark").unlink()
    assert grammar_file.grammar_path().read_text() == "y"
    (tmp_path / "grammar" / "nn.lark").unlink()
    with pytest.raises(FileNotFoundError, match="grammar is missing"):
        grammar_file.grammar_path()


def test_every_rule_has_a_builder():
    rules = {str(rule.alias or rule.origin.name) for rule in parse._parser().rules}
    inlined = {"expr", "comparison", "range", "sum", "product", "unary", "power"} - {"range", "unary"}
    inlined |= {"logic", "both", "negation"}
    assert {rule for rule in rules if not rule.startswith("_")} - inlined == {
        name for name in vars(build.TreeBuilder) if not name.startswith("_")
    }


def test_the_scanner_knows_the_keywords_of_the_grammar():
    terminals = {t.name: t.pattern.value for t in parse._parser().terminals}
    words = {value.removesuffix("\\b") for value in terminals.values() if value.removesuffix("\\b").isalpha()}
    assert words == KEYWORDS
    for word in KEYWORDS:
        assert word in terminals["NAME"]
        assert isinstance(parse.parse_expression(f"f({word} = 1)"), nodes.Call)


def test_scanner_and_parser_agree_on_tokens(sample):
    ours = [(p.start, p.end) for p in scan(sample.text) if p.kind != "comment"]
    tokens = parse._parser().parse_interactive(sample.text, start="file").iter_parse()
    theirs = [(t.start_pos, t.end_pos) for t in tokens if t.type != "NUMBERS"]
    assert set(theirs) <= set(ours)


def test_the_tables_are_built_fast():
    code = (
        "import time; from dotnn.syntax.parse import _parser as build;"
        "start = time.perf_counter(); build(); print(time.perf_counter() - start)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    seconds = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert float(seconds.stdout) < 0.5


def test_the_words_of_definitions_are_those_of_their_kinds():
    assert DEFINITIONS.keys() == KINDS.keys()
    for word, example in DEFINITIONS.items():
        (section,) = parse.parse(Source("a.nn", example)).sections
        assert isinstance(section, nodes.Definition)
        assert section.keyword == word
        (used,) = parse.parse(Source("a.nn", f"train {{ {word} = 1 }}")).sections
        assert used.statements[0].name.id == word
