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

LOSS_AND_GRADS = '''
def loss_and_grads_{name}(params, batch, *, training=True, rng=None, d_loss=1.0):
    """Return the loss of {name} and its gradient with respect to what {name} updates{more}."""
    outputs, cache = forward_{name}(params, batch, training=training, rng=rng)
    return total_loss_{name}(params, batch, cache), backward_{name}(params, batch, cache, d_loss)
'''
TRAINING_PASS = '''
def training_pass_{name}(params, batch, rng=None):
    """Return the loss of {name} and its gradient, and renew the state in `params`."""
    outputs, cache = forward_{name}(params, batch, training=True, rng=rng)
    loss, grads = total_loss_{name}(params, batch, cache), backward_{name}(params, batch, cache)
    renew_state_{name}(params, cache)
    return loss, grads
'''
OF_SECTIONS = '''
def forward(params, batch, *, training=False, rng=None, section={first}):
    """Return the outputs, and values that the backward pass of a section needs."""
    return SECTIONS[section][0](params, batch, training=training, rng=rng)


def total_loss(params, batch, cache, section={first}):
    """Return the number that a section makes small."""
    return SECTIONS[section][1](params, batch, cache)


def backward(params, batch, cache, d_loss=1.0, section={first}):
    """Return the gradient of the loss of a section."""
    return SECTIONS[section][2](params, batch, cache, d_loss)


def loss_and_grads(params, batch, *, training=True, rng=None, d_loss=1.0, section={first}):
    """Return the loss of a section and its gradient with respect to what it updates."""
    outputs, cache = forward(params, batch, training=training, rng=rng, section=section)
    return total_loss(params, batch, cache, section), backward(params, batch, cache, d_loss, section)
'''
CHECK = "Compare every gradient of every section with a complex-step derivative (Squire and Trapp 1998)."
EVALUATE = "Return the loss and the metrics of every section for prepared examples, in prediction mode."


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
