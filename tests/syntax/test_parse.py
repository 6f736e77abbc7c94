import pytest

from dotnn.core.diagnostics import CompileError, Source
from dotnn.syntax import nodes
from dotnn.syntax.parse import parse, parse_expression
from dotnn.syntax.scan import KEYWORDS


def show(expr: nodes.Expr) -> str:
    """An expression with all its brackets."""
    match expr:
        case nodes.Number(value=value, percent=percent):
            return f"{value!r}{'%' if percent else ''}"
        case nodes.String(value=value):
            return repr(value)
        case nodes.Name(id=name):
            return name
        case nodes.List(items=items):
            return f"[{' '.join(map(show, items))}]"
        case nodes.Call(func=func, args=args):
            shown = [f"{arg.name.id}={show(arg.value)}" if arg.name else show(arg.value) for arg in args]
            return f"{func.id}({' '.join(shown)})"
        case nodes.Pipe(head=head, stages=stages):
            return "{" + " > ".join(map(show, (head, *stages))) + "}"
        case nodes.Unary(op=op, operand=operand):
            return f"({op} {show(operand)})"
        case nodes.Binary(op=op, left=left, right=right):
            return f"({show(left)} {op} {show(right)})"
        case nodes.Range(low=low, high=high):
            return f"<{show(low)} {show(high)}>"
    raise AssertionError(expr)


EXPRESSIONS = {
    "3": "3",
    "0.5": "0.5",
    "1e-3": "0.001",
    "2E+3": "2000.0",
    "80%": "0.8%",
    "12.5%": "0.125%",
    '"a\\n\\t\\"\\\\"': repr('a\n\t"\\'),
    '""': "''",
    '"# no comment"': "'# no comment'",
    "a + b * c - d": "((a + (b * c)) - d)",
    "a / b / c": "((a / b) / c)",
    "a @ b * c": "((a @ b) * c)",
    "2^3^4": "(2 ^ (3 ^ 4))",
    "2**3": "(2 ^ 3)",
    "-x^2": "(- (x ^ 2))",
    "2^-x^2": "(2 ^ (- (x ^ 2)))",
    "--x": "(- (- x))",
    "a - -b": "(a - (- b))",
    "(a + b) * c": "((a + b) * c)",
    "2..64": "<2 64>",
    "1e-5..1e-1": "<1e-05 0.1>",
    "-1..1": "<(- 1) 1>",
    "0.5..1.5": "<0.5 1.5>",
    "1..n * 2": "<1 (n * 2)>",
    "loss < 1e-4": "(loss < 0.0001)",
    "a + 1 >= b..c": "((a + 1) >= <b c>)",
    "a == b": "(a == b)",
    "a != b": "(a != b)",
    "x -> f": "{x > f}",
    "x -> f(1, b = 2) -> g": "{x > f(1 b=2) > g}",
    "a + b -> f": "{(a + b) > f}",
    "(x -> f) + (y -> g)": "({x > f} + {y > g})",
    "(x -> f) -> g": "{{x > f} > g}",
    "concat(a -> s, b -> s)": "concat({a > s} {b > s})",
    "f()": "f()",
    "f(a,)": "f(a)",
    "f(train = 80%, in = 1, model = m)": "f(train=0.8% in=1 model=m)",
    "[]": "[]",
    "[1, -2.5e3,]": "[1 (- 2500.0)]",
    "[ [0, 0], [0,1] , ]": "[[0 0] [0 1]]",
    "[[[1], [2]], [[3], [4]]]": "[[[1] [2]] [[3] [4]]]",
    "[[1], 2, a]": "[[1] 2 a]",
    "[1 - 2, 3..4, 5%]": "[(1 - 2) <3 4> 0.05%]",
    "[1, # one\n 2]": "[1 2]",
    "models": "models",
    "input_": "input_",
    "log(1e-5..1e-1)": "log(<1e-05 0.1>)",
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expression(text):
    assert show(parse_expression(text)) == EXPRESSIONS[text]


def test_ints_stay_ints():
    assert [type(parse_expression(text).value) for text in ("3", "3.0", "3e0", "300%")] == [int, float, float, float]
    assert parse_expression("9223372036854775807").value == 2**63 - 1


def statements(body: str, section: str = "model M"):
    return parse(Source("s.nn", f"{section} {{ {body} }}")).sections[0].statements


def test_statements_need_no_line_end():
    first, second = statements("a = x -> f  b = 2")
    assert (show(first.value), second.name.id, show(second.value)) == ("{x > f}", "b", "2")


def test_statement_kinds():
    found = statements(
        "input x: [2] target y: class[n + 1] input z: [] layer s = dense(64) h = 4 in 2..64 output p = h output x -> s"
    )
    x, y, z, s, h, p, last = found
    assert (x.role, x.name.id, x.kind, [show(d) for d in x.dims]) == ("input", "x", None, ["2"])
    assert (y.role, y.kind.id, [show(d) for d in y.dims]) == ("target", "class", ["(n + 1)"])
    assert z.dims == ()
    assert (type(s), s.name.id, show(s.value)) == (nodes.LayerDef, "s", "dense(64)")
    assert (type(h), show(h.value), show(h.limits)) == (nodes.Assign, "4", "<2 64>")
    assert (type(p), p.name.id, show(p.value)) == (nodes.Output, "p", "h")
    assert (last.name, show(last.value)) == (None, "{x > s}")


def test_an_output_name_is_told_from_an_output_value():
    first, second = statements("output x y = 2")
    assert (first.name, first.value.id, second.name.id) == (None, "x", "y")


def test_sections():
    file = parse(
        Source(
            "s.nn",
            "block B(f, k = 3,) { output f }\nblock C { }\nparams { }\nmodel M { }\ndata { }\ntrain { }\ncheck{}",
        )
    )
    assert [section.keyword for section in file.sections] == [
        "block",
        "block",
        "params",
        "model",
        "data",
        "train",
        "check",
    ]
    block, bare, _, model, *_ = file.sections
    assert [(p.name.id, p.default and show(p.default)) for p in block.params] == [("f", None), ("k", "3")]
    assert (block.name.id, bare.name.id, bare.params, model.name.id) == ("B", "C", (), "M")


def test_section_keywords_are_whole_words():
    with pytest.raises(CompileError):
        parse(Source("s.nn", "paramsx { }"))
    assert statements("inputs = 1")[0].name.id == "inputs"


def test_a_name_ends_where_a_call_begins_even_on_another_line():
    assert show(statements("a = f\n (1)")[0].value) == "f(1)"


def test_samples_parse(sample, trees):
    sections = [part for part in parse(sample).sections if part.keyword in ("params", "model", "data", "train")]
    assert len(sections) > 1 and all(section.statements for section in sections)


def test_spans_cover_what_they_mean(sample, trees):
    for node in trees.nodes(parse(sample)):
        text = trees.text(sample, node.span)
        assert text == text.strip()
        if text in KEYWORDS:
            assert node == nodes.Name(node.span, text)  # the name of an argument
        elif isinstance(node, nodes.Slice):
            (item,) = parse_expression(f"x[{text}]").items
            assert trees.plain(item) == trees.plain(node)
        elif isinstance(node, nodes.Expr):
            assert trees.plain(parse_expression(text)) == trees.plain(node)
        elif isinstance(node, nodes.Stmt):
            assert trees.plain(statements(text)) == (trees.plain(node),)
        elif isinstance(node, nodes.Section):
            assert trees.plain(parse(Source("s.nn", text)).sections) == (trees.plain(node),)
        elif isinstance(node, nodes.Arg):
            assert trees.plain(parse_expression(f"f({text})").args) == (trees.plain(node),)


def test_spans_of_numbers_inside_one_token(trees):
    source = Source("s.nn", "[ [10, -2], [ 3e5 ,4.5] ]")
    found = [trees.text(source, node.span) for node in trees.nodes(parse_expression(source.text))]
    assert found == ["[ [10, -2], [ 3e5 ,4.5] ]", "[10, -2]", "10", "-2", "2", "[ 3e5 ,4.5]", "3e5", "4.5"]


def test_a_bracketed_expression_reaches_from_bracket_to_bracket(trees):
    source = Source("s.nn", "( a + b ) * c")
    product = parse_expression(source.text)
    assert trees.text(source, product.span) == source.text
    assert trees.text(source, product.left.span) == "( a + b )"


def test_an_expression_names_its_origin_in_errors():
    with pytest.raises(CompileError) as caught:
        parse_expression("1 +", Source("--set lr", "ignored"))
    assert "--set lr:1:" in caught.value.render()
