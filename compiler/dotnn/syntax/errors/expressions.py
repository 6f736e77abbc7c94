"""Expressions: pipes, operators, commas, missing values."""

from __future__ import annotations

from dotnn.syntax.errors.case import SyntaxCase

EXPRESSIONS = (
    SyntaxCase(
        "NN134",
        "`->` leads into a layer, not {found_words}",
        "write x -> dense(3) or x -> name; join branches with concat(a, b) or a + b",
        lambda m: m.wants_only("NAME") and m.before.text == "->",
        ("model X { p = x -> 3 }", "model X { p = x -> }", "model X { p = x -> (a + b) }", "model X { p = x -> -> f }"),
    ),
    SyntaxCase(
        "NN133",
        "`{found}` cannot follow a pipe",
        "put the pipe in parentheses: (x -> f) {found} y",
        lambda m: m.is_operator and "ARROW" in m.expected and "PLUS" not in m.expected,
        ("model X { p = x -> f + y }", "model X { p = x -> f(1) < 3 }", "model X { p = f(x -> g * 2) }"),
    ),
    SyntaxCase(
        "NN135",
        "comparisons and ranges do not chain",
        "use parentheses, or two of them",
        lambda m: m.is_operator and "PLUS" in m.expected,
        ("train { stop = when(1 < loss < 2) }", "params { a = 1 in 1..2..3 }"),
    ),
    SyntaxCase(
        "NN143",
        "numbers are written without `_`",
        "write {digits}",
        lambda m: m.has_value and m.is_glued and bool(m.digits),
        ("params { a = f(1_000) }", "params { a = [2, 1_0] }"),
    ),
    SyntaxCase(
        "NN137",
        "`{before}{found}` is neither a number nor a name",
        "a name starts with a letter; a product is written {before} * {found}",
        lambda m: m.has_value and m.is_glued and m.before.kind == "number" and m.found.kind in ("name", "number"),
        ("params { a = f(3x) }", "params { a = [2e] }", "params { a = f(0x10) }"),
    ),
    SyntaxCase(
        "NN118",
        "expected `,` between `{before}` and `{found}`",
        'write a comma; the name of a column that has blanks is a text: "{before} {found}"',
        lambda m: m.in_columns and "COMMA" in m.expected and m.before.kind == m.found.kind == "name",
        (
            'data { source = csv("d.csv", x = sepal length) }',
            'data { source = csv("d.csv", x = [a, petal width (cm)]) }',
        ),
    ),
    SyntaxCase(
        "NN118",
        "expected `,` between `{before}` and `{found}`",
        "write a comma",
        lambda m: m.in_brackets and "COMMA" in m.expected and (m.is_value or m.is_keyword),
        (
            "params { a = f(1 2) }",
            "data { x = [[1, 2] [3, 4]] }",
            "data { x = [1 2] }",
            "train { optim = sgd(0.1 momentum = 0.9) }",
            "train { optim = sgd(0.1\n  momentum = 0.9) }",
            "block B(a b) { }",
            "model X { input x: [28 28] }",
            'data { x = f("a" "b") }',
        ),
    ),
    SyntaxCase(
        "NN114",
        "a value is missing after {before_words}",
        "write a value there, such as 3, 0.5, name, f(x) or [1, 2]",
        lambda m: m.wants_value,
        (
            "params { a = }",
            "params { a = 1 + }",
            "params { a = f(1, b = ) }",
            "params { a = f(,) }",
            "data { x = [1,,2] }",
            "params { a = * 3 }",
            "params { a = 1 in }",
            "params { a = 2.. }",
            "params { a = ()\n }",
            "model X { a =\n output p = x }",
            "model X { output }",
            "params { a = = 3 }",
            "block B(n = ) { }",
        ),
    ),
    SyntaxCase(
        "NN100",
        "unexpected {found_words} after {before_words}",
        "expected here: {expected}",
        lambda m: True,
        (
            "params { a = 3 4 }",
            "params { 3 }",
            "block B(3) { }",
            "params { a = f(x) (y) }",
            "params { a = 1 in 2..3 in 4 }",
            "model X { input : [2] }",
            "params { = 3 }",
        ),
    ),
)
