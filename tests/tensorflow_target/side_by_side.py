"""A program that trains scripts on one device and on three replicas, for which it divides the processor at its start.

python side_by_side.py FOLDER NAME PRECISION …   trains NAME.py and NAME_mirrored.py and writes what they end with
"""

import sys
from pathlib import Path

import numpy as np

from dotnn.scripts import load_module


def record(file, params, history):
    """Write the weights, and the records of the epochs as a table."""
    np.savez(file, **params, history=[list(epoch.values()) for epoch in history], best=history.best_epoch)


folder, words = Path(sys.argv[1]), sys.argv[2:]
strategy = None
for name, precision in zip(words[::2], words[1::2], strict=True):
    one, many = load_module(folder / f"{name}.py"), load_module(folder / f"{name}_mirrored.py")
    strategy = strategy or many.make_strategy(3)
    one.XLA = False  # XLA draws other masks from the same seed
    one.set_precision(precision)
    record(folder / f"{name}_{precision}_one.npz", *one.train())
    record(folder / f"{name}_{precision}_many.npz", *many.train(strategy=strategy))
