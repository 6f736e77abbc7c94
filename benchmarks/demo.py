"""`make demo`: compile, check and train specs/digits.nn, and set the result beside scikit-learn's.

scikit-learn gets the same training part, the same test part and a hidden layer of the same size; once with its own
defaults, once with the spec's optimizer, batch size and epochs. All are trained with several seeds, because one seed
says little: the means count as different only beyond twice the standard error of their difference.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
from sklearn.neural_network import MLPClassifier

from dotnn.model.model import Model
from dotnn.session import front

SPEC, DATA, FOLDER = "specs/digits.nn", "specs/data/digits.npz", Path("build/demo")
SEEDS = range(5)
NEEDED = 0.97

Examples = tuple[np.ndarray, np.ndarray]


def dotnn(*words: str) -> None:
    """Run one command as a user would, and show it."""
    print(f"\n$ dotnn {' '.join(words)}", flush=True)
    subprocess.run([sys.executable, "-m", "dotnn", *words], check=True)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("digits", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ours(module: ModuleType, raw: dict[str, np.ndarray]) -> np.ndarray:
    return np.array([module.train(raw, seed=seed)[1].test["accuracy"] for seed in SEEDS])


def theirs(train: Examples, test: Examples, size: int, **settings: object) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it would go on for more epochs
        made = [MLPClassifier((size,), random_state=seed, **settings).fit(*train) for seed in SEEDS]
    return np.array([m.score(*test) for m in made])


def same_settings(model: Model) -> dict[str, object]:
    """Return the spec's regime in scikit-learn's words."""
    adam = model.train.optimizer
    assert adam.name == "adam"
    return {
        "learning_rate_init": adam.attrs["lr"],
        "batch_size": model.train.batch,
        "max_iter": model.train.epochs,
        "alpha": 0.0,
    }


def flat(part: dict[str, np.ndarray]) -> Examples:
    return part["image"].reshape(len(part["image"]), -1), part["digit"]


def is_worse(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether the mean of `a` is lower than that of `b` by more than chance explains."""
    error = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    return bool(a.mean() < b.mean() - 2 * error)


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    dotnn("compile", SPEC, "-o", str(FOLDER / "digits.py"))
    dotnn("check", SPEC)
    dotnn("train", SPEC, "--run", str(FOLDER / "run"), "--overwrite")

    model, _ = front(SPEC)
    module = load(FOLDER / "run" / "model.py")
    raw = module.load_data(DATA)
    parts, _ = module.prepare(raw)
    train, test = flat(parts["train"]), flat(parts["test"])
    size = model.constants["hidden"]
    rows = {
        "dotnn": ours(module, raw),
        "scikit-learn, its defaults": theirs(train, test, size),
        "scikit-learn, our settings": theirs(train, test, size, **same_settings(model)),
    }
    print(f"\n{len(test[1])} test digits, {size} hidden units, {len(SEEDS)} seeds each")
    for name, found in rows.items():
        print(f"  {name:28} test accuracy {found.mean():.2%}   (from {found.min():.2%} to {found.max():.2%})")
    mine, *peers = rows.values()
    if mine.mean() < NEEDED:
        print(f"that is less than {NEEDED:.0%}")
        return 1
    if any(is_worse(mine, peer) for peer in peers):
        print("dotnn is worse than scikit-learn")
        return 1
    print(f"\nThe network as a script you can read: {FOLDER / 'digits.py'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
