"""Brackets that are never closed."""

from __future__ import annotations

from dotnn.syntax.errors.case import SyntaxCase

BRACKETS = (
    SyntaxCase(
        "NN110",
        "this `{opener}` is never closed: the text ends first",
        "add the missing `{opener_closer}`",
        lambda m: m.found.kind == "end" and m.opener is not None,
        ("model X {", "params { a = 1", "params { a = f(1", "params { a = [1, 2", "block B(n", "params { a = "),
        note="opened here, still open in line {last_line}",
        mark="opener",
    ),
    SyntaxCase(
        "NN111",
        "the `{opener}` of line {opener_line}, column {opener_column}, is not closed before `{found}`",
        "add the missing `{opener_closer}`",
        lambda m: (
            (m.opener is not None and m.opener.text == "{" and m.is_file_level)
            or (m.in_brackets and m.is_unclosed and (m.is_closer or m.is_statement or m.is_section or m.starts("{")))
        ),
        (
            "params { a = 1\nmodel X { }",
            "model X { input x: [2]\nactivation f(z) = z",
            "model X { p = x -> f\nloss f(y, t) = y",
            'params { a = 1\nuse "mine.nn"',
            "params { a = 1\ncell C(n) { }",
            "block B { p = f(x)\nuse std.losses",
            "params { a = f(1 }",
            "params { a = f(1\n b = 2 }",
            "data { x = [[1, 2], [3, 4] }",
            "data { x = [[1, 2, [3, 4]]\n y = 3 }",
            "model X { p = f(x -> dense(2)\n output p }",
            "params { a = f(1] }",
            "block B(n { }",
        ),
    ),
)
