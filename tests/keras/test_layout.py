"""The layout of the scripts: what black (ruff, which lays out as black does) would change, and what it may not."""

import ast
import shutil
import subprocess

import pytest
from support import SPECS, specs_for

from dotnn.session import Options, compile_spec
from dotnn.targets.keras import script as writing
from dotnn.targets.keras.layout import as_black

RUFF = shutil.which("ruff")
WIDTH = ["--isolated", "--line-length=110"]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """A folder with the script of every spec."""
    folder = tmp_path_factory.mktemp("scripts")
    for spec in specs_for("tensorflow"):
        text = compile_spec(str(spec), Options(target="tensorflow")).script
        (folder / f"{spec.stem}_tf.py").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.skipif(RUFF is None, reason="ruff is not installed")
def test_ruff_changes_nothing(scripts):
    done = subprocess.run([RUFF, "format", "--check", *WIDTH, scripts], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("spec", ["brackets", "one_cycle", "conv_autoencoder"])
def test_the_layout_means_the_same(spec, monkeypatch):
    seen = []
    monkeypatch.setattr(writing, "as_black", lambda text: seen.append(text) or as_black(text))
    compile_spec(str(SPECS / f"{spec}.nn"), Options(target="tensorflow"))
    (before,) = seen
    after = as_black(before)
    assert ast.dump(ast.parse(after)) == ast.dump(ast.parse(before)) and after != before


LONG = "x" * 60
CASES = {
    "a call": f"y = f({LONG}, {LONG})",
    "a call in a call": f"y = f(g({LONG}), h(1, 2), key='{LONG}')",
    "a layer that is called": f"y = keras.layers.Dense(3, activation='{LONG}', name='{LONG[:20]}')(h)",
    "an item that is too long": f"d = {{'a': [{', '.join(['12345'] * 30)}], 'b': (1,)}}",
    "a comprehension with two names": f"dict_of_all = {{key: value for key, value in {LONG}.items() if key}}",
    "a function of two arguments": f"dictionary = function({LONG}, key=lambda a, b: a + b, other=1)",
    "a product in a call": f"y = f(g({LONG}) * h({LONG}, 1))",
    "brackets and commas in texts": f"d = f('({LONG},', f'[{{a, b}}, {LONG}')",
    "rows that share items": "d = {\n    'a': 1, 'b': 2,\n    'c': 3,\n}",
    "a list in a call": f"d = np.array([\n    [1, 2], [3, 4], [5, 6],\n    [7, {LONG}],\n])",
}


@pytest.mark.skipif(RUFF is None, reason="ruff is not installed")
@pytest.mark.parametrize("code", CASES.values(), ids=CASES)
def test_statements(code):
    """Each is what ruff makes of it when the commas after last items, which it takes for a wish, are away."""
    text = as_black(f"{code}\n")
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(code))
    format_ = [RUFF, "format", *WIDTH, "--config=format.quote-style='preserve'", "-"]
    assert text == subprocess.run(format_, input=text, capture_output=True, text=True, check=True).stdout
