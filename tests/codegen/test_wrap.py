"""Long statements: broken lines mean what the one line meant, and fit the page."""

import ast

import pytest

from dotnn.codegen import tree
from dotnn.codegen.lines import all_on_the_page
from dotnn.codegen.printer import print_module
from dotnn.codegen.wrap import WIDTH, wrapped

LONG = [
    "y = np.concatenate([alpha_one, alpha_two, alpha_three, alpha_four, alpha_five, alpha_six, alpha_seven], axis=-1)",
    "d_total = d_first_of_all + d_second_of_all + d_third_of_all - d_fourth_of_all + d_fifth_of_all + d_sixth_of_all",
    "d_total = d_first_of_all * d_second_of_all / d_third_of_all * d_fourth_of_all * d_fifth_of_all * d_sixth_of_all",
    "cache |= {'alpha': alpha, 'beta': beta, 'gamma': gamma, 'delta': delta, 'epsilon': epsilon, 'zeta': zeta, 'e': e}",
    "first, second, third = some_function_backward(d_result, params['a.b.W'], params['a.b.U'], cache['a.b'], training)",
    "return first_result_of_a_long_function, second_result_of_a_function, {'some': some_value, 'other': other_value}",
    "mask = dropout_mask(rng, some_hidden_value.shape, 0.5).astype(some_hidden_value.real.dtype) if training else 1.0",
    "kept = np.where(condition_of_the_value > 0, value_where_it_holds * factor_of_it, value_where_not * factor)",
    "value = (first_value_of_a_sum * second_value_of_a_sum + third_value_of_a_sum).mean(axis=-1, keepdims=True) + 1.0",
    "grads |= {f'some.long.path.of.a.block.{name}': gradient_of_it for name, gradient_of_it in d_of_the_block.items()}",
    "a['first.W'], a['second.W'], a['third.W'], a['fourth.W'], a['fifth.W'], a['sixth.W'], a['seventh.W'] = f(d, p, c)",
    'total = scores("größe", äpfel) + scores("größe", birnen) - scores("länge", äpfel) * scores("breite", pfirsiche)',
    "found = {f'größe {key}': value for key, value in table('äöü äöü äöü äöü äöü', 'ßßßßßßßß ßßßßßßßß ßßßß').items()}",
    "kept = first_of_all('äöüäöüäöüäöü', one) if test('äöüäöüäöüäöüäöüäöü') else second_of_all('ßßßßßßßßßßßßßßß', two)",
    f"kept = np.where((first == 0) & (np.absolute({' + '.join(f'value_number_{i}' for i in range(12))}) == 0), 0, 1)",
    f"rate = 2 * (one if math.exp({' * '.join(f'value_number_{i}' for i in range(12))}) > 0 else math.sqrt(second))",
    f"rate = (1 if math.exp({' * '.join(f'value_number_{i}' for i in range(12))}) > 0 else 0) / (1 + other_value ** 2)",
    f"kept = first_value_of_all > {' + '.join(f'value_number_{i}' for i in range(12))}",
    f"kept = 0 if ((1 if a > {' + '.join(f'number_{i}' for i in range(9))} else 0) * rest == 0) & (rest > 0) else 1",
    f"kept = 0 if first > 0 else (1 if first > {' + '.join(f'number_{i}' for i in range(9))} else 0) * rest + rest",
    "data, labels = read_csv(path, {'x': ['temperature (C', 'pressure)', 'humidity ['], 't': ['power']}, kinds, known)",
    "found = some_function_of_all(list(zip(['a (b', 'c) d'], ['e (f', 'g) h']))) + another_function('(', second)",
    "def update_of_a_section(w, g, state, *, sizes=(1, 2), kept={'a': [1, 2], 'b (': 3}, rate=f(0.1, 2), **more): pass",
    "for (h_before, xz_t, xr_t, xg_t, h_t, d_h_t, d_z_t), step in zip(gru_pieces, range(14), strict=True): pass",
    "for hidden_before, input_at_step, gate_at_step, candidate_at_step, hidden_at_step in the_pieces_of_forward: pass",
    f"for a, b in zip({', '.join(f'piece_number_{i}' for i in range(12))}, strict=True): pass",
]
NAME = "the_cells_of_the_tissue_that_were_counted_in_the_first_image"
OTHER = "the_share_of_all_cells_of_the_tissue_that_are"
PATH = f"{NAME}.Encoder_of_the_cells_of_a_tissue_in_an_image1.{OTHER}.multi_head_attention1.Wq"
LONG += [
    f"{NAME} = params['{PATH}'][batch['{OTHER}']]",
    f"params['{PATH}'] -= lr * grads['{PATH}']",
    f"{{'{PATH}': 1 - {NAME}, '{PATH}': np.asarray(examples['{NAME}'], dtype)[::-1].T ** -2}}",
    f"take(arrays['{NAME}'], chosen, 0, batch['{NAME}'], 'clip')",
    f"{NAME}, {OTHER} = {OTHER}, {NAME}",
    f"{NAME} = {OTHER} - np.absolute({NAME} * -{OTHER}) - {NAME}.sum(axis=-1, keepdims=True) ** 2",
    f"{NAME} = {OTHER} if {NAME} not in {OTHER} and not {NAME} is None else -{NAME} @ {OTHER}.T",
    f"if {NAME} > 0 and {OTHER}['{NAME}'] == {{n: 1 for n, v in {OTHER}.items() if v}}: pass",
    f"for n in ('{PATH}', '{PATH}'): pass",
    f"for {NAME}, {OTHER} in zip({NAME}['{OTHER}'], {OTHER}[1:, :-1], strict=True): pass",
    f"for {NAME} in {OTHER}['{NAME}'].items(): pass",
    f"return {{name: float({NAME}[name] - {OTHER}) for name, (some, other) in sorted({OTHER}.items())}}",
    f"def {NAME}(params, batch, *, {OTHER}='{NAME}', training=True, rng=None, d_loss=1.0, **options): pass",
    f"assert {NAME}.shape == {OTHER}.shape, '{PATH} and its \\n gradient \\x41 {PATH}'",
    f"raise ValueError('{PATH} is (not there' + '{OTHER}')",
    f"{NAME} = sorted({OTHER}, key=lambda one: (one['{NAME}'], -one['{OTHER}']), reverse=True)",
    f"{NAME}['{OTHER}'] = {OTHER}['{NAME}'] = f({NAME}=1, {OTHER}={NAME}, *{OTHER}, **{NAME})",
]


def broken(code: str, indent: int, width: int) -> list[str]:
    """The lines of a statement; of a loop the head alone is broken."""
    head = code.removesuffix(" pass")
    *lines, last = wrapped(head, indent, width)
    return [*lines, last + code[len(head) :]]


@pytest.mark.parametrize("code", LONG)
@pytest.mark.parametrize(("indent", "width"), [(0, 110), (4, 110), (8, 90), (0, 70)])
def test_lines_mean_the_same(code, indent, width):
    """The tree of the broken statement is that of the statement, wherever it is broken."""
    lines = broken(code, indent, width)
    inside = "if True:\n" + "\n".join(lines) if indent else "\n".join(lines)
    wanted = f"if True:\n{' ' * indent}{code}" if indent else code
    if code.startswith("return"):
        inside, wanted = (
            f"def f():\n if True:\n{_deeper(text, indent)}" for text in ("\n".join(lines), " " * indent + code)
        )
    assert ast.dump(ast.parse(inside)) == ast.dump(ast.parse(wanted))
    assert all(line.startswith(" " * indent) for line in lines)


def _deeper(text: str, indent: int) -> str:
    return "\n".join("  " + line for line in text.split("\n"))


@pytest.mark.parametrize("code", LONG)
def test_lines_fit_the_page(code):
    assert max(map(len, wrapped(code.removesuffix(" pass"), 4, 110))) <= 110


@pytest.mark.parametrize("room", [0, 10, 20, 30, 40, 50])
def test_whole_statements_are_broken_where_they_stand(room):
    """Between others, some moved in; comments and short ones stay as they are."""
    codes = [code for code in LONG if not code.startswith(("return", "for")) and not code.endswith(": pass")]
    lines = [line for code in codes for line in ["# of (these", f"    {code}", "    one = ')'  # (two"]]
    made = all_on_the_page(["if True:", *lines], room)
    wanted = "if True:\n" + "\n".join(f"    {code}\n    one = ')'" for code in codes)
    assert ast.dump(ast.parse("\n".join(made))) == ast.dump(ast.parse(wanted))
    wide = max(len(line) for code in codes for line in wrapped(code, 4, WIDTH - room))
    assert max(map(len, made)) <= max(WIDTH - room, wide)


def test_a_short_line_stays():
    assert wrapped("x = f(a, b)", 4) == ["    x = f(a, b)"]


@pytest.mark.parametrize("length", range(90, 240))
def test_a_signature_of_any_length_is_a_function(length):
    """Around the width of the page as well, where the arguments fit on a line and `def` with them does not."""
    arguments = ["params", "grads", "state", f"{'n' * (length - 60)}=0.1", f"{'m' * 30}=1e-07"]
    function = tree.Function("update", tuple(arguments), "Update.", "", (tree.Return("state"),))
    text, _ = print_module(tree.Module("", (function,)))
    assert max(map(len, text.split("\n"))) <= max(110, length)
    (made,) = ast.parse(text).body
    assert [a.arg for a in made.args.args] == [a.partition("=")[0] for a in arguments]
    assert [ast.literal_eval(d) for d in made.args.defaults] == [0.1, 1e-07]
