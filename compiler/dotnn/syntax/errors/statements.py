"""Statements: separators, `=`, shapes, names."""

from __future__ import annotations

from dotnn.syntax.errors.case import SyntaxCase
from dotnn.syntax.scan import KEYWORDS

STATEMENTS = (
    SyntaxCase(
        "NN128",
        "statements are not separated by `,`",
        "remove it; the next statement simply follows",
        lambda m: m.found.text == "," and not m.in_brackets and (m.has_value or m.at_statement),
        ("params { a = 1, b = 2 }", "model X { input x: [2], target t: [1] }", "train { epochs = 3,\n batch = 2, }"),
    ),
    SyntaxCase(
        "NN114",
        "a value is missing after `{earlier}`",
        "write {earlier} and a value; or was the line left unfinished?",
        lambda m: m.found.text == "=" and m.has_value and m.before_on_new_line and m.earlier.text == "=",
        ("params { a =\n b = 2 }",),
        mark="earlier",
    ),
    SyntaxCase(
        "NN141",
        "`=` cannot follow a value",
        "a statement gives one name a value: name = value; equality is ==",
        lambda m: m.found.text == "=" and m.has_value,
        ("params { a = b = 3 }", "train { loss = a = b }", "params { a = f(x) = 3 }", "params { a = f(b = c = 1) }"),
    ),
    SyntaxCase(
        "NN151",
        "a spec has no `{earlier}`: it is no program",
        "what is defined is a formula with a name: activation f({before}) = …",
        lambda m: m.found.text == ":" and m.earlier.text == "lambda",
        ("model X { h = lambda z: z + 1 }", "params { act = lambda x: x }"),
        mark="earlier",
    ),
    SyntaxCase(
        "NN115",
        "the shape of `{declared}` is declared with `:`",
        "write {declared}: [2], an int[40] or a class[10]",
        lambda m: m.found.text == "=" and m.wants_only("COLON"),
        ("model X { input x = [2] }", "model X { target y = class[10] }"),
    ),
    SyntaxCase(
        "NN116",
        "a value is given with `=`",
        "write {before} = …",
        lambda m: m.found.text == ":" and ("EQUAL" in m.expected or (m.has_value and m.before.kind == "name")),
        (
            "params { lr: 0.1 }",
            "train { optim = sgd(lr: 0.1) }",
            "model X { layer s: dense(3) }",
            "model X { output p: x }",
            "block B(n: 3) { }",
        ),
    ),
    SyntaxCase(
        "NN119",
        "`{found}` is a word of the language and cannot be a name",
        'choose another name, such as {found}_; in data, a column may be quoted: "{found}"',
        lambda m: (
            m.is_keyword
            and not m.is_new_statement
            and ("NAME" in m.expected if m.found.text != "in" or m.after.text == "=" else m.wants_value)
        ),
        (
            "params { data = 3 }",
            "model X { input data: [2] }",
            "model X { a = x -> model }",
            "model train { }",
            "data { d = csv([year, model]) }",
            "params { in = 3 }",
            "model X { layer check = dense(3) }",
            "block B(data) { }",
        ),
    ),
    SyntaxCase(
        "NN119",
        "`{before}` is a word of the language and cannot be a name",
        "choose another name, such as {before}_; it may name an argument, as in f({before} = 1)",
        lambda m: m.wants_only("EQUAL") and m.before.text in KEYWORDS,
        ("model X { a = f(model) }", "model X { a = concat(x, data) }"),
        mark="before",
    ),
    SyntaxCase(
        "NN142",
        "there is no statement `{before} {found} …`",
        "{did_you_mean_statement}",
        lambda m: m.wants_only("EQUAL") and m.found.kind == "name" and bool(m.near_statement),
        ("model X { inptu x: [2] }", "model X { outptu p = x }", "model X { inputs x: [2] }"),
        mark="before",
    ),
    SyntaxCase(
        "NN143",
        "numbers are written without `_`",
        "write {digits}",
        lambda m: m.wants_only("EQUAL") and bool(m.digits),
        ("train { batch = 1_000 }", "params { a = 1_000_000\n b = 2 }"),
        mark="before",
    ),
    SyntaxCase(
        "NN137",
        "`{earlier}{before}` is neither a number nor a name",
        "a name starts with a letter; a product is written {earlier} * {before}",
        lambda m: m.wants_only("EQUAL") and m.earlier.kind == "number" and m.earlier.end == m.before.start,
        ("params { a = 3x }", "params { a = 2e }"),
        mark="before",
    ),
    SyntaxCase(
        "NN113",
        "expected `=` after `{before}`",
        "a statement is name = value, such as h = x -> dense(8); the result is output x -> …",
        lambda m: m.wants_only("EQUAL"),
        (
            "params { a 3 }",
            "model X { layer s dense(3) }",
            "model X { x -> dense(3) }",
            "model X { dense(3) }",
            "params { a }",
            "params { a\n b = 2 }",
            "params { a += 1 }",
            "params { a [0] = 1 }",
            "model X { return x }",
        ),
    ),
    SyntaxCase(
        "NN136",
        "the shape of `{declared}` is missing",
        "write {declared}: [2] for two numbers, [28, 28, 1], int[40] or class[10]",
        lambda m: (
            m.on_new_line and (m.wants_only("COLON") or m.wants_only("NAME", "LSQB", "DATE") or m.wants_only("LSQB"))
        ),
        ("model X { input x:\n target t: [1] }", "model X { input x\n target t: [1] }", "model X {\n input x: int\n}"),
        mark="before",
    ),
    SyntaxCase(
        "NN136",
        "the shape of `{declared}` is missing",
        "write {declared}: [2] for two numbers, [28, 28, 1], int[40] or class[10]",
        lambda m: m.wants_only("COLON") or m.wants_only("NAME", "LSQB", "DATE") or m.wants_only("LSQB"),
        (
            "model X { input x [2] }",
            "model X { input x }",
            "model X { input x: 2 }",
            "model X { target y: class(10) }",
            "model X { input x: }",
        ),
    ),
)
