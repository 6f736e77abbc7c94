"""Runs `dotnn train` on a spec and random data, as a user would."""

import numpy as np
from errors.runner import dotnn


def in_folder(folder, spec, shape, scale=1.0):
    """What the command says, with inputs of this shape and one target for each."""
    rng = np.random.default_rng(0)
    np.savez(folder / "d.npz", x=scale * rng.standard_normal(shape), t=rng.standard_normal((shape[0], 1)))
    (folder / "m.nn").write_text(spec.replace("train {", 'data { source = npz("d.npz", x = x, t = t) }\ntrain {'))
    return dotnn("train", "m.nn", "--run", "run", folder=folder)
