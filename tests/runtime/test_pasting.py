"""The helpers can be pasted into a script by source, on the rules of `dotnn_runtime/script/__init__.py`."""

import ast
import builtins
import dis
import importlib
import inspect
import pkgutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import dotnn_runtime.script
from dotnn.codegen import paste

MODULES = {
    module.name: importlib.import_module(module.name)
    for module in pkgutil.walk_packages(dotnn_runtime.script.__path__, "dotnn_runtime.script.")
}
HELPERS = {
    name: value
    for module in MODULES.values()
    for name, value in vars(module).items()
    if isinstance(value, (types.FunctionType, type)) and value.__module__ == module.__name__
}


@pytest.mark.parametrize("name", MODULES)
def test_imports_are_whole_standard_modules_numpy_and_this_package(name):
    for node in ast.parse(Path(MODULES[name].__file__).read_text()).body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                assert (alias.name, alias.asname) == ("numpy", "np") or (
                    alias.name in sys.stdlib_module_names and alias.asname is None
                )
        if isinstance(node, ast.ImportFrom):
            assert node.module.startswith("dotnn_runtime.script.")
            assert all(alias.asname is None for alias in node.names)


def test_names_are_unique_in_the_package():
    defined = [
        node.name
        for module in MODULES.values()
        for node in ast.parse(Path(module.__file__).read_text()).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    ]
    assert len(defined) == len(set(defined))


def globals_of(code):
    """Return the names that a function or class body takes from its module."""
    names = set()
    for table in _tables(code):
        names |= {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return names - set(dir(builtins))


def _tables(source):
    import symtable

    todo = [symtable.symtable(source, "<helper>", "exec")]
    while todo:
        table = todo.pop()
        if table.get_type() != "module":
            yield table
        todo.extend(table.get_children())


@pytest.mark.parametrize("name", HELPERS)
def test_a_helper_reads_only_helpers_modules_and_builtins(name):
    module = sys.modules[HELPERS[name].__module__]
    for used in globals_of(inspect.getsource(HELPERS[name])):
        value = getattr(module, used)
        assert isinstance(value, types.ModuleType) or value is HELPERS[used], f"{name} reads {used}"


def loaded_from_outside(code):
    """Return the names that compiled code takes from its module or from Python, as its instructions say."""
    inner = (part for part in code.co_consts if isinstance(part, types.CodeType))
    own = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*map(loaded_from_outside, inner))


LOCALS = """
def clipped(values):
    scaled = [one_hot for one_hot in values]
    def smooth(norm):
        return norm
    return smooth(one_hot(scaled))
"""


def test_a_helper_needs_what_it_loads_and_no_other_that_a_local_name_is_like():
    planted = paste.Helper(LOCALS, frozenset(), "planted")
    for helper in [*paste.library().values(), planted]:
        loaded = loaded_from_outside(compile(helper.source, helper.home, "exec"))
        assert helper.reads & HELPERS.keys() == loaded & HELPERS.keys()
    assert planted.reads == {"one_hot"}


def test_the_pasted_helpers_run_without_the_package(tmp_path):
    (tmp_path / "d.csv").write_text("a,b\n1,x\n2,y\n")
    imports = {"np": np} | {
        used: value
        for module in MODULES.values()
        for used, value in vars(module).items()
        if isinstance(value, types.ModuleType)
    }
    text = "from __future__ import annotations\n\n" + "\n\n".join(inspect.getsource(v) for v in HELPERS.values())
    names = {"__name__": "pasted", **imports}
    exec(compile(text, "pasted", "exec"), names)
    arrays, labels = names["read_csv"](tmp_path / "d.csv", {"x": ["a"], "y": ["b"]}, {"y": "class:2"})
    checked = names["check_arrays"](arrays, {"x": ("real", (1,)), "y": ("class:2", ())})
    assert checked["x"].tolist() == [[1.0], [2.0]]
    assert labels == {"y": ["x", "y"]}
    names["save_weights"](tmp_path / "w.npz", {"a.W": np.ones((2, 1))})
    assert names["load_weights"](tmp_path / "w.npz", {"a.W": (2, 1)})["a.W"].sum() == 2
    with pytest.raises(names["DataError"]):
        names["split_indices"](2, {"train": 0.5}, 0)
