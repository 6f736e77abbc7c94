"""What a script of sections that take turns says alike whatever the network: its prose, and the body of its check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dotnn.codegen import tree
from dotnn.codegen.called import TABLE
from dotnn.codegen.data import declarations
from dotnn.codegen.lines import table
from dotnn.codegen.sections import Section
from dotnn.model.model import Model
from dotnn.targets.numpy.explain.command_line import drawn

CHECK = "Compare every gradient of every section with a complex-step derivative (Squire and Trapp 1998)."
EVALUATE = "Return the loss and the metrics of every section for prepared examples, in prediction mode."


def loss_and_grads(name: str, more: str) -> tree.Function:
    """Return the function that differentiates the loss of a section; `more` says what it hands on."""
    doc = f"Return the loss of {name} and its gradient with respect to what {name} updates{more}."
    loss, backward = f"total_loss_{name}(params, batch, cache)", f"backward_{name}(params, batch, cache, d_loss)"
    arguments = ("params", "batch", "*", "training=True", "rng=None", "d_loss=1.0")
    forward = f"forward_{name}(params, batch, training=training, rng=rng)"
    body = (tree.Assign(("outputs", "cache"), forward), tree.Return(f"{loss}, {backward}"))
    return tree.Function(f"loss_and_grads_{name}", arguments, doc, "", body)


def training_pass(name: str) -> tree.Function:
    """Return the function that does so in training, and renews the state."""
    doc = f"Return the loss of {name} and its gradient, and renew the state in `params`."
    loss, backward = f"total_loss_{name}(params, batch, cache)", f"backward_{name}(params, batch, cache)"
    body = (
        tree.Assign(("outputs", "cache"), f"forward_{name}(params, batch, training=True, rng=rng)"),
        tree.Assign(("loss", "grads"), f"{loss}, {backward}"),
        tree.Do(f"renew_state_{name}(params, cache)"),
        tree.Return("loss, grads"),
    )
    return tree.Function(f"training_pass_{name}", ("params", "batch", "rng=None"), doc, "", body)


def of_sections(first: str) -> Iterator[tree.Function]:
    """Yield the functions that take the name of a section, by default that of the `first`, a text of Python."""
    training, d_loss, section = ("training=True", "rng=None"), "d_loss=1.0", f"section={first}"
    given = ("params", "batch", "cache")
    yield tree.Function(
        "forward",
        ("params", "batch", "*", "training=False", "rng=None", section),
        "Return the outputs, and values that the backward pass of a section needs.",
        "",
        (tree.Return("SECTIONS[section][0](params, batch, training=training, rng=rng)"),),
    )
    doc = "Return the number that a section makes small."
    body = (tree.Return("SECTIONS[section][1](params, batch, cache)"),)
    yield tree.Function("total_loss", (*given, section), doc, "", body)
    doc = "Return the gradient of the loss of a section."
    body = (tree.Return("SECTIONS[section][2](params, batch, cache, d_loss)"),)
    yield tree.Function("backward", (*given, d_loss, section), doc, "", body)
    both = "total_loss(params, batch, cache, section), backward(params, batch, cache, d_loss, section)"
    yield tree.Function(
        "loss_and_grads",
        ("params", "batch", "*", *training, d_loss, section),
        "Return the loss of a section and its gradient with respect to what it updates.",
        "",
        (
            tree.Assign(("outputs", "cache"), "forward(params, batch, training=training, rng=rng, section=section)"),
            tree.Return(both),
        ),
    )


def checked(model: Model, sections: Sequence[Section], *, draws: bool) -> Iterator[tree.Stmt]:
    """Yield the statements of `check`; `draws` says whether a section draws numbers."""
    inputs, targets = declarations(model)
    handed = {name: shape for p in sections for name, shape in declarations(p.model)[1].items()}
    batch = table({name: drawn(kind, shape) for name, (kind, shape) in {**inputs, **targets, **handed}.items()})
    seeded = ", rng=np.random.default_rng(seed)" * draws
    width = max([len(n) for n in model.params] or [1])
    yield tree.assign("rng", "np.random.default_rng(seed)")
    fresh = "init_params(seed, np.float64)"
    yield tree.assign("params", f"{{n: w + 0.1 * rng.standard_normal(w.shape) for n, w in {fresh}.items()}}")
    yield tree.assign("batch", batch)
    yield tree.assign("errors", "[]")
    body: list[tree.Stmt] = [
        tree.assign("grads", f"loss_and_grads(params, batch, section=section{seeded})[1]"),
        tree.assign("smallest", "1e-6 * max(np.abs(grads[name]).max() for name in names)"),
        tree.For(
            "for name in names",
            (
                tree.assign("v", "rng.standard_normal(params[name].shape)"),
                tree.assign("moved", "params | {name: params[name] + 1e-20j * v}"),
                tree.assign("cache", f"forward(moved, batch, training=True, section=section{seeded})[1]"),
                tree.assign("expected", "total_loss(moved, batch, cache, section).imag / 1e-20"),
                tree.assign("size", "max(abs(expected), smallest, 1e-300)"),
                tree.Do("errors.append(abs((grads[name] * v).sum() - expected) / size)"),
                tree.assign("verdict", '"ok" if errors[-1] < 1e-10 else "WRONG"'),
                tree.Do(f'print(f"{{section}}: {{name:{width}}}  {{errors[-1]:.1e}}  {{verdict}}")'),
            ),
        ),
    ]
    yield tree.For(f"for section, names in {TABLE}.items()", tuple(body))
    yield tree.Return("all(error < 1e-10 for error in errors)")
