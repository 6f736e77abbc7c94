"""A training in this process, and what there is to see of it."""

from dotnn.commands.seeing.look import seen_of
from dotnn.commands.seeing.watch import watched as trained
from dotnn.core.diagnostics import Source
from dotnn.running.spec_files import load_examples
from dotnn.session import Compilation


def compiled(text, path="spec.nn", sets=()):
    """Return the compilation of a text that would lie at a path."""
    return Compilation(Source(str(path), text), sets)


def watched(begun, data=None, seed=0, epochs=None):
    """Train on raw arrays (None: the spec's own data), and return what there is to see."""
    labels = {}
    if data is None:
        data, labels = load_examples(begun.model, None)
    return seen_of(trained(begun, dict(data), labels, seed=seed, epochs=epochs))
