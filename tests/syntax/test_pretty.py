import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dotnn.core.diagnostics import CompileError, Source
from dotnn.syntax.parse import parse
from dotnn.syntax.pretty import format_source
from dotnn.syntax.scan import scan


def formatted(text: str) -> str:
    return format_source(Source("f.nn", text))


def comments(text: str) -> list[str]:
    return [piece.text.rstrip() for piece in scan(text) if piece.kind == "comment"]


def check(text: str, trees) -> str:
    """What always holds: same meaning, same comments, and a second run changes nothing."""
    result = formatted(text)
    assert trees.plain(parse(Source("a.nn", result))) == trees.plain(parse(Source("b.nn", text)))
    assert comments(result) == comments(text)
    assert formatted(result) == result
    assert all(line == line.rstrip() for line in result.splitlines())
    assert "\n\n\n" not in result
    assert result.endswith("}\n") or comments(text)
    return result


def test_samples(sample, trees):
    check(sample.text, trees)


GOLDEN = {
    "definitions": (
        "# of classes\nloss   f(p,k:class,g=2 in 0..9)=-(1-p[ k ])^g*log(p[1 : 2])\nmetric g(y,t)=mean( y-t )\n"
        "penalty h(w,s) = s*sum(w^2 , axis=0)# all\nconstraint c( w )=max(w,0) train{loss=1}\n",
        """\
# of classes
loss f(p, k: class, g = 2 in 0..9) = -(1 - p[k])^g * log(p[1:2])
metric g(y, t) = mean(y - t)
penalty h(w, s) = s * sum(w^2, axis = 0)  # all
constraint c(w) = max(w, 0)
train { loss = 1 }
""",
    ),
    "a whole spec": (
        """\
# top


params{hidden=4 in 2..64
lr=0.50}
model   X{ # open
input x:[2] target  t : class [ 10 ]

# two branches
a=x->dense( hidden,act=tanh )
 other=f(a)+-b*2^-1
layer s=dense(64)
output p=s


}
train { loss=mse(p,t) optim=sgd(1E-3, momentum=90%) }   # one line
""",
        """\
# top

params {
  hidden = 4 in 2..64
  lr     = 0.50
}
model X {  # open
  input  x: [2]
  target t: class[10]

  # two branches
  a     = x -> dense(hidden, act = tanh)
  other = f(a) + -b * 2^-1
  layer s = dense(64)
  output p = s
}
train { loss = mse(p, t)  optim = sgd(1E-3, momentum = 90%) }  # one line
""",
    ),
    "comments of neighbours share a column": (
        "train {\n a = 1 # one\n long = f(a, b) # two\n c = 3\n d = 4# three\n}",
        "train {\n  a    = 1        # one\n  long = f(a, b)  # two\n  c    = 3\n  d    = 4  # three\n}\n",
    ),
    "a blank line ends a group": (
        "train {\n a = 1\n\n\n\n long = 2\n b = 3\n}",
        "train {\n  a = 1\n\n  long = 2\n  b    = 3\n}\n",
    ),
    "data row by row": (
        "data { x = [\n[0,0],\n   [0, 1]\n]\ny = [[1,2],\n[3,4]] }",
        "data {\n  x = [\n    [0, 0],\n    [0, 1]\n  ]\n  y = [[1, 2],\n       [3, 4]]\n}\n",
    ),
    "a pipe as the user broke it": (
        "model M {\n logits = x -> f(1) # one\n  -> g\n -> h -> i\n}",
        "model M {\n  logits = x -> f(1)  # one\n             -> g\n             -> h -> i\n}\n",
    ),
    "a long pipe": (
        "model M { p = x" + " -> dense(hidden, act = relu)" * 5 + " }",
        "model M {\n  p = x -> dense(hidden, act = relu) -> dense(hidden, act = relu) -> dense(hidden, act = relu)\n"
        "        -> dense(hidden, act = relu) -> dense(hidden, act = relu)\n}\n",
    ),
    "a section that does not fit in its line": (
        "train { " + " ".join(f"key{i} = {i}" for i in range(12)) + " }",
        "train {\n" + "".join(f"  key{i:<2} = {i}\n" for i in range(12)) + "}\n",
    ),
    "signs": (
        "params { a = - 1  b = a-1  c = (-1)-(-2)  d = [-1,-2]  e = -1..-0.5  f = a<-1  g = 2 ** -n }",
        "params { a = -1  b = a - 1  c = (-1) - (-2)  d = [-1, -2]  e = -1..-0.5  f = a < -1  g = 2**-n }\n",
    ),
    "empty sections": ("data {\n}\ntrain{}\ncheck { # none\n}", "data {}\ntrain {}\ncheck {  # none\n}\n"),
    "sections of one line": ("data {} train {}", "data {}\ntrain {}\n"),
    "comments in odd places": (
        "model # name\n X # head\n{ a # left\n = # right\n f( # in\n 1 # one\n , 2) # end\n # last\n} # after\n"
        "# bottom",
        """\
model  # name
    X  # head
    {
  a           # left
      =       # right
      f(      # in
        1     # one
        , 2)  # end
  # last
}  # after
# bottom
""",
    ),
    "windows line ends": ("# a\r\nparams {\r\n a = 1 # b\r\n}\r\n", "# a\nparams {\n  a = 1  # b\n}\n"),
}


@pytest.mark.parametrize(("text", "expected"), GOLDEN.values(), ids=GOLDEN)
def test_golden(text, expected, trees):
    assert check(text, trees) == expected


def test_a_bad_spec_is_refused():
    with pytest.raises(CompileError):
        formatted("params { a = }")


# ------------------------------------------------------------------------------------------------ random specs

names = st.sampled_from(["x", "h1", "dense", "inputs", "a_long_name_for_a_thing", "Train"])
keys = st.one_of(names, st.sampled_from(["train", "in", "model", "output"]))
numbers = st.sampled_from(["0", "12", "0.5", "1e-3", "2E+5", "80%", "00.10"])
strings = st.sampled_from(['"a b"', '"# no { comment"', '"\\"\\n"', '""'])


def joined(parts, separator=","):
    """Lists of tokens, one behind the other, with a separator between."""
    return [token for i, part in enumerate(parts) for token in ([separator] * bool(i) + part)]


def compound(inner):
    arg = st.tuples(st.one_of(st.just([]), keys.map(lambda k: [k, "="])), inner).map(lambda a: a[0] + a[1])
    call = st.builds(lambda n, a: [n, "(", *joined(a), ")"], names, st.lists(arg, max_size=3))
    stage = st.one_of(names.map(lambda n: [n]), call)
    items = st.builds(lambda a, comma: ["[", *joined(a), *comma, "]"], st.lists(inner, min_size=1, max_size=4), commas)
    binary = st.builds(lambda a, op, b: ["(", *a, ")", op, "(", *b, ")"], inner, st.sampled_from(OPERATORS), inner)
    plain = st.builds(lambda a, op, b: [a, op, b], names, st.sampled_from(OPERATORS), numbers)
    pipe = st.builds(lambda h, s: ["(", "(", *h, ")", "->", *joined(s, "->"), ")"], inner, st.lists(stage, min_size=1))
    return st.one_of(call, items, binary, plain.map(group), pipe, inner.map(lambda a: ["-", *group(a)]))


def group(tokens):
    return ["(", *tokens, ")"]


OPERATORS = ["+", "-", "*", "/", "@", "^", "**", "..", "<", ">=", "==", "!="]
commas = st.sampled_from([[], [","]])
expressions = st.recursive(st.one_of(names, numbers, strings).map(lambda t: [t]), compound, max_leaves=12)
pipes = st.lists(names.map(lambda n: [n]), min_size=2, max_size=20).map(lambda s: joined(s, "->"))
values = st.one_of(expressions, pipes)
statements = st.one_of(
    st.builds(lambda n, v: [n, "=", *v], names, values),
    st.builds(lambda n, v, r: [n, "=", *v, "in", *r], names, expressions, expressions),
    st.builds(lambda n, v: ["layer", n, "=", *v], names, values),
    st.builds(lambda n, v: ["output", n, "=", *v], names, values),
    st.builds(lambda v: ["output", *v], values),
    st.builds(
        lambda r, n, k, d: [r, n, ":", *k, "[", *joined(d), "]"],
        st.sampled_from(["input", "target"]),
        names,
        st.sampled_from([[], ["int"], ["class"]]),
        st.lists(expressions, max_size=3),
    ),
)
heads = st.one_of(
    st.sampled_from([["params"], ["data"], ["model", "M"], ["block", "B"]]),
    st.builds(lambda v: ["block", "B", "(", "a", ",", "b", "=", *v, ")"], expressions),
)
sections = st.builds(
    lambda head, body: [*head, "{", *(token for statement in body for token in statement), "}"],
    heads,
    st.lists(statements, max_size=5),
)
GAPS = [" ", " ", " ", "\n", "\n\n\n", "  # note\n", "\n  # own\n", " # a\n\n # b\n"]


@st.composite
def specs(draw):
    tokens = [token for section in draw(st.lists(sections, min_size=1, max_size=3)) for token in section]
    gaps = draw(st.lists(st.sampled_from(GAPS), min_size=7, max_size=23))
    return "".join(token + gaps[i % len(gaps)] for i, token in enumerate(tokens))


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(text=specs())
def test_random_specs(text, trees):
    check(text, trees)
