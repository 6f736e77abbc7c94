"""A spec is untrusted text: whatever its names, strings and file name are, the script runs what the compiler wrote."""

import ast
import keyword
from pathlib import Path

import numpy as np
import pytest
from errors.runner import dotnn
from support import as_module

from dotnn.codegen.printer import docstring

STRINGS = [
    "a'); import os; os.system('x')#.csv",
    'a"); import os; os.system("x")#.csv',
    '"""); import os; os.system("x") #.csv',
    "'''); import os; os.system('x') #.csv",
    "a\\n'); import os\\nos.system('x') #.csv",
    "\n\nimport os\nos.system('x')\n#.csv",
    "\r\nimport os #.csv",
    "{{ 7 * 7 }}.csv",
    "{% include 'x' %}.csv",
    "{x} {0} %s $x.csv",
    "@IMPORTS@.csv",
    "keys).csv",
    "a\\.csv",
    "\u2028import os.csv",
]
SPEC = """\
model M { input x: [1]  target t: [1]  output p = x -> dense(1) }
data { source = csv(FILE, x = [COLUMN], t = [t]) }
train { loss = mse(p, t) }
"""
ARRAYS = SPEC.replace("csv(FILE, x = [COLUMN], t = [t])", "npz(FILE, x = COLUMN, t = t)")
NAMES = [
    "import",
    "def",
    "lambda",
    "None",
    "print",
    "exec",
    "np",
    "self",
    "params",
    "batch",
    "B",
    "__import__",
    "_",
    "__class__",
]


def literal(text: str) -> str:
    """The text as the language writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def shape(script: str) -> str:
    """The syntax tree of a script without the texts in it: equal for two scripts that do the same to other names."""
    tree = ast.parse(script)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


def calls(script: str) -> set[str]:
    """All that a script imports and calls."""
    nodes = list(ast.walk(ast.parse(script)))
    imported = {ast.unparse(n) for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom))}
    return imported | {ast.unparse(n.func) for n in nodes if isinstance(n, ast.Call)}


def compiled(folder: Path, text: str, style: str, name: str = "spec.nn") -> str:
    (folder / name).write_text(text, encoding="utf-8", newline="\n")
    outcome = dotnn("compile", name, "--style", style, "-o", "script.py", folder=folder)
    assert outcome.exit_code == 0, outcome.stderr
    return (folder / "script.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("style", ["explain", "fast"])
@pytest.mark.parametrize("spec", [SPEC, ARRAYS], ids=["table", "arrays"])
@pytest.mark.parametrize("attack", STRINGS)
def test_a_string_stays_a_string(tmp_path, attack, spec, style):
    if "\r" in attack:
        attack = attack.replace("\r", "")
    plain = compiled(tmp_path, spec.replace("FILE", '"a.csv"').replace("COLUMN", '"a"'), style)
    script = compiled(tmp_path, spec.replace("FILE", literal(attack)).replace("COLUMN", literal(attack)), style)
    assert shape(script) == shape(plain)
    constants = {n.value for n in ast.walk(ast.parse(script)) if isinstance(n, ast.Constant)}
    assert attack in constants


@pytest.mark.parametrize("style", ["explain", "fast"])
@pytest.mark.parametrize("attack", [a for a in STRINGS if "/" not in a])
def test_a_file_name_stays_a_text(tmp_path, attack, style):
    text = SPEC.replace("FILE", '"a.csv"').replace("COLUMN", '"a"')
    plain = compiled(tmp_path, text, style)
    script = compiled(tmp_path, text, style, name=attack.removesuffix(".csv") + ".nn")
    assert calls(script) == calls(plain)
    if style == "explain":
        assert shape(script) == shape(plain)


@pytest.mark.parametrize("attack", [*STRINGS, 'x"', '""', "\\"])
def test_what_a_docstring_says_stays_in_it(attack):
    for place in ("", "spec.nn:1"):
        words = " ".join(attack.split())
        lines = docstring(f"block B(f = {literal(words)})", place) + docstring(words, place)
        functions = ast.parse("\n".join(["def b():", *lines, "    return 1"])).body
        assert [type(node) for node in functions[0].body] == [ast.Expr, ast.Expr, ast.Return]


@pytest.mark.parametrize("attack", STRINGS)
def test_a_setting_stays_a_text(tmp_path, attack):
    spec = 'params { f = "b.npz" }\nmodel M { input x: [1]  target t: [1]  output p = x -> dense(1) }\n'
    (tmp_path / "spec.nn").write_text(spec + "train { loss = mse(p, t)  init = file(f) }\n")
    outcome = dotnn("compile", "spec.nn", "--set", f"f={literal(attack)}", folder=tmp_path)
    assert outcome.exit_code == 1
    assert "error[NN40" in outcome.stderr or "\r" in attack  # a carriage return is no character of a text


def test_a_setting_stays_a_comment(tmp_path):
    spec = "params { lr = 0.1 }\nmodel M { input x: [1]  target t: [1]  output p = x -> dense(1) }\n"
    (tmp_path / "spec.nn").write_text(spec + "train { loss = mse(p, t)  optim = sgd(lr) }\n")
    plain = dotnn("compile", "spec.nn", "-o", "-", folder=tmp_path).stdout
    script = dotnn("compile", "spec.nn", "-o", "-", "--set", "lr=0.1 # \n# import os", folder=tmp_path).stdout
    assert ast.dump(ast.parse(script)) == ast.dump(ast.parse(plain))


@pytest.mark.parametrize("style", ["explain", "fast"])
@pytest.mark.parametrize("name", [*NAMES, *keyword.softkwlist])
def test_words_of_python_are_names_like_others(tmp_path, name, style):
    model = f"input {name}: [2]  target t: [1]  {name}2 = {name} -> dense(3, tanh)  output p = {name}2 -> dense(1)"
    data = f"data {{ {name} = [[1, 2]]  t = [[1]] }}"
    text = f"model {name} {{ {model} }}\n{data}\ntrain {{ loss = mse(p, t)  epochs = 2 }}\n"
    (tmp_path / "spec.nn").write_text(text)
    outcome = dotnn("compile", "spec.nn", "--style", style, "-o", "script.py", folder=tmp_path)
    if outcome.exit_code:  # refused cleanly: the name is a word of the language
        assert "error[NN" in outcome.stderr
        assert name in ("params", "train", "data")
        return
    module = as_module((tmp_path / "script.py").read_text(), tmp_path / "spec.nn")
    params = module.init_params(0)
    assert set(params) == {f"{name}2.W", f"{name}2.b", "p.W", "p.b"}
    loss, grads = module.loss_and_grads(params, {name: np.ones((1, 2)), "t": np.ones((1, 1))})
    assert np.isfinite(loss) and set(grads) == set(params)
