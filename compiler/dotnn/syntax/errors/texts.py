"""Texts that are refused before their first word is looked at."""

from __future__ import annotations

MINIMAL_SPEC = """\
model XOR { input x: [2]  target t: [1]  output p = x -> dense(4, tanh) -> dense(1, sigmoid) }
data  { x = [[0, 0], [0, 1], [1, 0], [1, 1]]  t = [[0], [1], [1], [0]] }
train { loss = bce(p, t)  optim = sgd(0.5)  epochs = 2000 }"""

TEXT_ERRORS = {
    "NN101": (
        "the spec is too large: {size} bytes; the limit is {most}",
        'keep large data in a file of its own: source = csv("…") or npz("…")',
    ),
    "NN102": ("byte {byte} in line {line} is not UTF-8 text", "a spec is plain text; save it as UTF-8"),
    "NN103": ("there is a NUL byte in line {line}", "a spec is plain text; is this the right file?"),
    "NN104": ("the spec is empty", "a whole spec can be this short:\n{minimal}"),
    "NN105": ("brackets nest too deep: the limit is {most} open at once", "name the inner parts: part = …"),
    "NN106": ("the expression is too deep: the limit is {most} levels", "name its parts: part = …"),
    "NN108": (
        "the spec is too long: more than {most} words and signs",
        "use repeat(n, Block) for a chain of equal layers; keep data in a file of their own",
    ),
    "NN107": ("the number is too large", "whole numbers have 64 bits, others are doubles (up to 1.8e308)"),
}
