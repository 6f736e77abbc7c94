"""The wording of every syntax error, each with bad examples that must give it (they are its tests).

`SYNTAX_ERRORS` is read from top to bottom and the first case that applies speaks. The words in braces are filled in by
`diagnose`; codes stay, once given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dotnn.syntax.parse_context import ParseContext
from dotnn.syntax.scan import KEYWORDS

MINIMAL_SPEC = """\
model XOR { input x: [2]  target t: [1]  output p = x -> dense(4, tanh) -> dense(1, sigmoid) }
data  { x = [[0, 0], [0, 1], [1, 0], [1, 1]]  t = [[0], [1], [1], [0]] }
train { loss = bce(p, t)  optim = sgd(0.5)  epochs = 2000 }"""

TEXT_ERRORS = {
    "NN101": (
        "the spec is too large: {size} bytes, at most {most}",
        'keep large data in a file of its own: source = csv("…") or npz("…")',
    ),
    "NN102": ("byte {byte} in line {line} is not UTF-8 text", "a spec is plain text; save it as UTF-8"),
    "NN103": ("there is a NUL byte in line {line}", "a spec is plain text; is this the right file?"),
    "NN104": ("the spec is empty", "a whole spec can be this short:\n{minimal}"),
    "NN105": ("brackets nest too deep: at most {most} may be open at once", "name the inner parts: part = …"),
    "NN106": ("the expression is too deep: at most {most} levels", "name its parts: part = …"),
    "NN108": (
        "the spec is too long: more than {most} words and signs",
        "use repeat(n, Block) for a chain of equal layers; keep data in a file of their own",
    ),
    "NN107": ("the number is too large", "whole numbers have 64 bits, others are doubles (up to 1.8e308)"),
}


@dataclass(frozen=True)
class SyntaxCase:
    """One way to go wrong: when it applies, what it says, and texts that show it."""

    code: str
    message: str
    help: str
    applies: Callable[[ParseContext], bool]
    bad: tuple[str, ...]
    note: str = ""
    mark: str = "found"  # which piece gets the caret: found, before, earlier or opener


SYNTAX_ERRORS = (
    # ------------------------------------------------------------------------------------- characters and words
    SyntaxCase(
        "NN123",
        "the string is not closed in its line",
        'end it with ", in the same line; write \\n for a line end inside a string',
        lambda m: m.starts('"') and m.found.kind == "other",
        ('data { source = csv("power.csv) }', 'data { source = "a\nb" }'),
    ),
    SyntaxCase(
        "NN125",
        "the string has an escape that does not exist",
        'the escapes are \\" \\\\ \\n \\t; write folders with /',
        lambda m: m.starts('"') and m.found.kind == "string" and "STRING" in m.expected,
        (r'data { source = csv("data\power.csv") }',),
    ),
    SyntaxCase(
        "NN124",
        'strings are written in double quotes, "…"',
        'write "…" instead of {found}…{found}',
        lambda m: m.starts("'", "`", "“", "”", "‘", "’", "«"),
        ("data { source = csv('power.csv') }", "data { source = csv(“power.csv”) }"),
    ),
    SyntaxCase(
        "NN117",
        "pipes are written `->`",
        "write x -> dense(3) -> softmax",
        lambda m: m.starts("=>", "|", "→", "~>", "➜", "⟶") or (m.found.text == ">" and m.is_glued_to(">", "=")),
        (
            "model X { p = x => dense(3) }",
            "model X { p = x |> dense(3) }",
            "model X { p = x → dense(3) }",
            "model X { p = x >> dense(3) }",
            "model X { p = x | dense(3) }",
            "model X { p = f(x => dense(3)) }",
        ),
    ),
    SyntaxCase(
        "NN131",
        "comments start with `#`",
        "write # and the comment, to the end of the line",
        lambda m: m.starts("//", "/*") or (m.found.text in ("/", "*", "**") and m.is_glued_to("/")),
        (
            "// a net\nmodel X { }",
            "params { // the size\n a = 1 }",
            "params { a = 1 // the size\n }",
            "params { a = 1 /* the size */ }",
            "/* a net */ model X { }",
        ),
    ),
    SyntaxCase(
        "NN127",
        "statements need no `;`",
        "remove it; the next statement simply follows",
        lambda m: m.found.text == ";",
        ("params { a = 1; b = 2 }", "params { a = 1 };", "model X { output x -> f(1); }"),
    ),
    SyntaxCase(
        "NN122",
        "a number needs digits on both sides of its point",
        "write 0.5 and 5.0, not .5 and 5.",
        lambda m: m.is_point and not (m.is_glued and m.before.kind == "name"),
        ("params { a = .5 }", "train { optim = sgd(.1) }", "params { a = 5. }", "data { x = [[0, .5]] }"),
    ),
    SyntaxCase(
        "NN140",
        "names have no parts: `.` and `[ ]` select nothing here",
        'a file or column goes in quotes: "house.csv"; a part of a value needs a name of its own',
        lambda m: (
            (m.found.text == "." and m.is_glued and m.before.kind == "name")
            or (m.found.text == "[" and m.has_value and m.is_glued and m.before.text not in ("]", "["))
        ),
        ("model X { a = h1.W }", "model X { a = x[0] }", "model X { a = f(x[0], 2) }"),
    ),
    SyntaxCase(
        "NN126",
        "{found_name} has no meaning here",
        "names are made of letters, digits and _ (a to z, no accents); operators are + - * / ^ @ < <= > >= == != ->",
        lambda m: m.found.kind == "other",
        ("params { größe = 3 }", "params { a = 3 & 4 }", "model X { a = 3 ? 4 }", "model Ⅳ { }", "params { a = 5 $ }"),
    ),
    # ------------------------------------------------------------------------------------------------- sections
    SyntaxCase(
        "NN112",
        "this `{found}` closes nothing",
        "remove it, or look for a `{closes}` missing above",
        lambda m: m.is_closer and (m.opener is None or (m.opener.text == "{" and m.found.text != "}")),
        ("params { a = 1 } }", "params { a = 1) }", "params { a = f(1)) }", "params { a = [1]] }", "params { ) }", "}"),
    ),
    SyntaxCase(
        "NN120",
        "there is no section `{found}`",
        "{did_you_mean_section}",
        lambda m: m.at_file_level and m.is_header and not m.is_keyword,
        ("modle X { }", "param { a = 1 }", "params { }\nTrain { epochs = 1 }", "dataset { }", "network X { }"),
    ),
    SyntaxCase(
        "NN121",
        "expected a section, not {found_words}",
        "every statement stands inside one: params, model, block, data, train or check {{ … }}",
        lambda m: m.at_file_level,
        ("a = 1", "params { }\nlr = 0.1", "input x: [2]", "output x", "params { a = 1 }, data { }", "3", "x -> f(1)"),
    ),
    SyntaxCase(
        "NN129",
        "sections are enclosed in braces, not introduced by `:`",
        "write {header} {{ … }}",
        lambda m: m.found.text == ":" and m.wants_body,
        ("model X:\n  input x: [2]", "params:\n  a = 1", "block B(n):\n  output x"),
    ),
    SyntaxCase(
        "NN132",
        "`{before}` needs a name",
        "write {before} Name {{ … }}",
        lambda m: m.before.text in ("model", "block") and m.wants_only("NAME") and not m.is_keyword,
        ("model { }", "block (n) { }", 'model "x" { }', "model 3 { }", "model"),
    ),
    SyntaxCase(
        "NN130",
        "expected `{{` after `{header}`",
        "write {header} {{ … }}",
        lambda m: m.wants_body,
        ("params a = 1 }", "model X input x: [2] }", "model X", "block B(n) output x }", "train X { }"),
    ),
    # ------------------------------------------------------------------------------------------ unclosed brackets
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
            (m.opener is not None and m.opener.text == "{" and m.is_section)
            or (m.in_brackets and m.is_unclosed and (m.is_closer or m.is_statement or m.is_section or m.starts("{")))
        ),
        (
            "params { a = 1\nmodel X { }",
            "params { a = f(1 }",
            "params { a = f(1\n b = 2 }",
            "data { x = [[1, 2], [3, 4] }",
            "data { x = [[1, 2, [3, 4]]\n y = 3 }",
            "model X { p = f(x -> dense(2)\n output p }",
            "params { a = f(1] }",
            "block B(n { }",
        ),
    ),
    # ----------------------------------------------------------------------------------------------- statements
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
        "NN137",
        "`{earlier}{before}` is neither a number nor a name",
        "a name starts with a letter; a product is written {earlier} * {before}",
        lambda m: m.wants_only("EQUAL") and m.earlier.kind == "number" and m.earlier.end == m.before.start,
        ("params { a = 3x }", "params { a = 1_000 }", "params { a = 2e }"),
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
        lambda m: m.on_new_line and (m.wants_only("COLON") or m.wants_only("NAME", "LSQB") or m.wants_only("LSQB")),
        ("model X { input x:\n target t: [1] }", "model X { input x\n target t: [1] }", "model X {\n input x: int\n}"),
        mark="before",
    ),
    SyntaxCase(
        "NN136",
        "the shape of `{declared}` is missing",
        "write {declared}: [2] for two numbers, [28, 28, 1], int[40] or class[10]",
        lambda m: m.wants_only("COLON") or m.wants_only("NAME", "LSQB") or m.wants_only("LSQB"),
        (
            "model X { input x [2] }",
            "model X { input x }",
            "model X { input x: 2 }",
            "model X { target y: class(10) }",
            "model X { input x: }",
        ),
    ),
    # ---------------------------------------------------------------------------------------------- expressions
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
        "did not expect {found_words} after {before_words}",
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
