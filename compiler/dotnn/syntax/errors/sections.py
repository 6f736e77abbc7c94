"""Sections and their heads."""

from __future__ import annotations

from dotnn.syntax.errors.case import SyntaxCase
from dotnn.syntax.scan import DEFINITIONS

IMPORTING = ("import", "from", "include", "require")
"""How programs take in what stands elsewhere."""
PROGRAM_WORDS = ("def", "function", "fn", "func", "lambda", "class", *IMPORTING)
"""What programs have, and specs have not."""
SECTIONS = (
    SyntaxCase(
        "NN112",
        "this `{found}` closes nothing",
        "remove it, or look for a `{closes}` missing above",
        lambda m: m.is_closer and (m.opener is None or (m.opener.text == "{" and m.found.text != "}")),
        ("params { a = 1 } }", "params { a = 1) }", "params { a = f(1)) }", "params { a = [1]] }", "params { ) }", "}"),
    ),
    SyntaxCase(
        "NN144",
        "`{found}` is followed by a name, what it takes in brackets, and a formula",
        "write {definition}",
        lambda m: m.at_file_level and m.found.text in DEFINITIONS and m.after.text != "=",
        ("activation f = z", "activation (z) = z", "model X { }\nactivation f { }", "activation"),
    ),
    SyntaxCase(
        "NN150",
        "a layer of one's own is a block",
        "write block {after} {{ input x: [n]  …  output y = … }}; or cell {after}(n) {{ … }}, which remembers",
        lambda m: m.at_file_level and m.found.text == "layer" and m.after.kind == "name",
        ("layer Highway(n) { input x: [n] }", "layer Swish { }", "model X { }\nlayer F(x) = x"),
    ),
    SyntaxCase(
        "NN151",
        "a spec has no `{found}`: it is no program",
        'what stands elsewhere is used: use std.losses, or use "mine.nn", a file of definitions beside the spec',
        lambda m: m.at_file_level and m.found.text in IMPORTING and m.after.text != "=",
        ("import torch", "from keras import layers", 'include "mine.nn"', "model X { }\nimport std.losses"),
    ),
    SyntaxCase(
        "NN151",
        "a spec has no `{found}`: it is no program",
        "what is defined is a formula, activation f(z) = …, or a network, block F {{ input x: [n]  …  output y = … }}",
        lambda m: m.at_file_level and m.found.text in PROGRAM_WORDS and m.after.text != "=",
        (
            "def f(x) { }",
            "function f(x) = x",
            "class Net { }",
            "fn f(x) = x",
            "lambda x: x",
        ),
    ),
    SyntaxCase(
        "NN151",
        "a spec has no `{before}`: it is no program",
        "what is defined is a formula, activation f(z) = …, or a network, block F {{ input x: [n]  …  output y = … }}",
        lambda m: (
            m.before.text in PROGRAM_WORDS
            and m.found.kind == "name"
            and (m.wants_only("EQUAL") or (m.has_value and not m.on_new_line))
        ),
        ("model X { def f(x) }", "model X { h = x -> dense(8, lambda z: z) }"),
        mark="before",
    ),
    SyntaxCase(
        "NN150",
        "a layer of one's own is a block",
        "write block {before}(…) {{ input x: [n]  …  output y = … }} outside of the model, and here x -> {before}(…)",
        lambda m: m.found.text in ("(", "{") and m.earlier.text == "layer" and m.wants_only("EQUAL"),
        ("model X { layer Highway(n) { } }", "model X { layer F { } }"),
        mark="before",
    ),
    SyntaxCase(
        "NN120",
        "there is no section `{found}`",
        "{did_you_mean_section}",
        lambda m: m.at_file_level and m.is_header and not m.is_keyword,
        ("modle X { }", "param { a = 1 }", "params { }\nTrain { epochs = 1 }", "dataset { }", "network X { }"),
    ),
    SyntaxCase(
        "NN151",
        "a spec is no program: `{before}` belongs to no module",
        "write {before}(…)",
        lambda m: m.found.text == "(" and m.earlier.text == "." and m.before.kind == "name" and m.is_glued,
        ("activation f(z) = np.exp(z)", "loss f(y, t) = 2 * tf.math.abs(y - t)", "model X { output p = np.tanh(x) }"),
        mark="before",
    ),
    SyntaxCase(
        "NN121",
        "expected a section, not {found_words}",
        "every statement belongs in a section: params, model, block, data, train or check {{ … }}",
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
        ("params a = 1 }", "model X input x: [2] }", "model X", "block B(n) output x }", "train X = 3 }"),
    ),
)
