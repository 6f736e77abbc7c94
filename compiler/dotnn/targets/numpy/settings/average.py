"""`average`: an average of the weights beside those that are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dotnn.codegen import tree
from dotnn.codegen.called import Names
from dotnn.codegen.lines import indented
from dotnn.codegen.optimizer import numpy_assignment
from dotnn.codegen.parts import Part
from dotnn.core.arguments import Bound
from dotnn.ir.expr import Expr, number, substitute
from dotnn.ir.expr.tree import Equation
from dotnn.library.averages import Average
from dotnn.model.model import Model
from dotnn.targets.numpy.fast.update import plan_equations
from dotnn.targets.numpy.settings import Writer

SHOWN = 'params | state["average"]'
IN_ARRAYS = "average_params"
"""What is shown, where parameters and averages are arrays that exist."""
MEAN_OF = "sum(w[name] for w in recent.values()) / len(recent)"


def _explain(model: Model, average: Bound[Average], own: Names, place: str) -> Part:
    said = "; ".join(part for part in (average.entry.source.partition(";")[0], place) if part)
    if average.entry.equations is None:
        return _explain_last(average, own, said)
    names = {"a": "average[name]", "w": "params[name]"}
    numbers: Mapping[str, Expr] = {n: number(v) for n, v in average.attrs.items()}
    lines = [Equation(e.target, substitute(e.value, numbers)) for e in average.entry.equations(average.attrs)]
    body = tree.For(
        f"for name in {own.params}",
        (
            tree.If("name not in average", (tree.assign("average[name]", "params[name]"), tree.Do("continue"))),
            *(tree.assign(*numpy_assignment(line, (), names)) for line in lines),
        ),
    )
    doc = f"Renew the average {average} of the weights."
    renew = tree.Function(own.own("renew_average"), ("average", "params"), doc, said, (body,))
    call = tree.Do(f'{renew.name}(state["average"], params)')
    return Part((renew,), together={"average": "{}"}, updated=(call,), shown=SHOWN)


def _explain_last(average: Bound[Average], own: Names, said: str) -> Part:
    unit, number_ = ("update", own.entry("done")) if average.attrs["updates"] else ("epoch", "epoch")
    recent = own.kept("recent")
    body = (
        tree.assign(f"{recent}[str({unit} % {unit}s)]", f"{{name: params[name] for name in {own.params}}}"),
        tree.assign("recent", recent),
        tree.assign('state["average"]', f"{{name: {MEAN_OF} for name in {own.params}}}", "|="),
    )
    arguments = ("state", "params", unit, f"{unit}s={average.attrs[f'{unit}s']}")
    doc = f"Renew the mean of the weights of the last {unit}s: last({unit}s = {average.attrs[f'{unit}s']})."
    renew = tree.Function(own.own("renew_average"), arguments, doc, said, body)
    call = (tree.Do(f"{renew.name}(state, params, {number_})"),)
    of_updates = unit == "update"
    return Part(
        (renew,),
        together={"average": "{}"},
        kept={"recent": "{}"},
        updated=call * of_updates,
        epoch=call * (not of_updates),
        shown=SHOWN,
    )


def _fast(model: Model, average: Bound[Average], own: Names) -> Part:
    flat, held, renew = own.own("flat_average"), own.own("average"), own.own("renew_average")
    setup: list[tree.Stmt] = [
        tree.Assign((flat, held), f"flat_arrays({own.params}, dtype)"),
        tree.Do(f"np.copyto({flat}, {own.entry('w')})"),
    ]
    if not own.section:  # what is shown of several has the averages of all
        setup.append(tree.assign(IN_ARRAYS, "{**params, **average}"))
    if average.entry.equations is None:
        updates = average.attrs["updates"]
        number_, count = (own.entry("done"), updates) if updates else ("epoch", average.attrs["epochs"])
        recent = own.kept("recent")
        weights = f"{{name: params[name].copy() for name in {own.params}}}"
        both = (tree.assign(f"{recent}[str({number_} % {count})]", weights), tree.Do(f"{renew}({held}, {recent})"))
        part = Part((tree.Prose("\n".join(_mean_lines(average, renew))),), kept={"recent": "{}"})
        part = replace(part, updated=both) if updates else replace(part, epoch=both)
    else:
        made = own.own("make_average")
        setup.append(tree.assign(renew, f"{made}({flat}, {own.entry('w')}, begun=resume is not None)"))
        part = Part((tree.Prose("\n".join(_moving_lines(average, made))),), updated=(tree.Do(f"{renew}()"),))
    return replace(part, setup=tuple(setup), held={"average": held}, shown=IN_ARRAYS)


def _mean_lines(average: Bound[Average], name: str) -> list[str]:
    return [
        f"def {name}(average, recent):",
        f'    """Put the mean of the last weights in `average`: {average}.',
        "",
        f"    Source: {average.entry.source}.",
        '    """',
        "    for name, mean in average.items():",
        f"        mean[...] = {MEAN_OF}",
    ]


def _moving_lines(average: Bound[Average], name: str) -> list[str]:
    assert average.entry.equations is not None
    equations = average.entry.equations(average.attrs)
    plan = plan_equations(equations, average.attrs, ("a", "w"))
    functions = sorted({"copyto", *plan.functions})
    return [
        f"def {name}(a, w, *, begun):",
        f'    """Return the function that renews the average `a` of the weights `w` in place: {average}.',
        "",
        *(f"        {line}" for line in equations),
        "    The first time the average is w.",
        f"    Source: {average.entry.source}.",
        '    """',
        *(f"    {name} = np.empty_like(w)" for name in plan.scratch),
        *indented(plan.constants, 4),
        f"    {', '.join(functions)} = {', '.join(f'np.{f}' for f in functions)}",
        "",
        "    def renew():",
        "        nonlocal begun",
        "        if not begun:",
        "            copyto(a, w)",
        "            begun = True",
        "            return",
        *indented(plan.passes, 8),
        "",
        "    return renew",
    ]


AVERAGE = Writer("average", _explain, _fast)
