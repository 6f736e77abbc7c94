"""Characters and words that belong nowhere."""

from __future__ import annotations

from dotnn.syntax.errors.case import SyntaxCase

CHARACTERS = (
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
        "a name that is defined has no parts: `{found}` selects nothing here",
        "give the part a name of its own: {before}_1 = …",
        lambda m: m.found.text in (".", "[") and m.is_glued and m.before.kind == "name" and not m.has_value,
        ("model X { h.W = x }", "model X { a[0] = x }", "model X { input x.a: [2] }", "params { a[1] = 3 }"),
    ),
    SyntaxCase(
        "NN126",
        "{found_name} has no meaning here",
        "names are made of letters, digits and _ (a to z, no accents); operators are + - * / ^ @ < <= > >= == != ->",
        lambda m: m.found.kind == "other",
        ("params { größe = 3 }", "params { a = 3 & 4 }", "model X { a = 3 ? 4 }", "model Ⅳ { }", "params { a = 5 $ }"),
    ),
    SyntaxCase(
        "NN126",
        "a name cannot have `-` in it",
        "write {before}_{after}",
        lambda m: m.is_hyphen and not m.has_value,
        ("model X { input my-x: [2] }", "model X { my-h = x -> dense(3) }", "model my-net { }", "block my-B(n) { }"),
    ),
)
