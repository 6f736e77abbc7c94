"""A program that trains scripts on one device and on three replicas, for which it divides the processor at its start.

python side_by_side.py FOLDER NAME PRECISION …   trains NAME.py and NAME_mirrored.py and writes what they end with
"""

import sys
from pathlib import Path

import numpy as np

from dotnn.running.scripts import load_module

folder, words = Path(sys.argv[1]), sys.argv[2:]
make_strategy = None
for name, precision in zip(words[::2], words[1::2], strict=True):
    one, many = load_module(folder / f"{name}.py"), load_module(folder / f"{name}_mirrored.py")
    many.make_strategy = make_strategy = make_strategy or many.make_strategy  # one strategy per process
    out = str(folder / f"{name}_{precision}")
    options = ["train", "--replicas", "3", "--precision", precision, "--out", out]
    assert many.run_train(many.command_line().parse_args(options))
    one.XLA = False  # XLA draws other masks from the same seed
    one.set_precision(precision)
    params, history = one.train()
    np.savez(f"{out}.npz", **params, history=[list(record.values()) for record in history])
