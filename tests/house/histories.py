"""What trainings tell, before and after a change of the loop: every spec, in every style, for a few epochs, bit by bit.

    git worktree add /tmp/before COMMIT
    python tests/house/histories.py /tmp/before
    python tests/house/histories.py /tmp/before --target tensorflow --spec xor --spec iris

Compared are the records, how a training ended, the figures of the test part, the scaling and the weights.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STYLES = {"numpy": ("explain", "fast"), "tensorflow": ("",)}
DTYPES = {"numpy": ("float32", "float64"), "tensorflow": ("float32",)}


def told(spec: str, target: str, style: str, dtype: str, epochs: int) -> dict[str, object]:
    """What a training says and leaves."""
    import numpy as np

    from dotnn.running.scripts import run_script
    from dotnn.running.spec_files import load_examples
    from dotnn.session import Options, compile_model, front

    model, _ = front(spec)
    script = compile_model(model, Options(style or "explain", target=target)).script
    module = run_script(script, "trained", str(ROOT / spec.replace(".nn", ".py")))
    precision = {"dtype": np.dtype(dtype)} if target == "numpy" else {}
    with np.errstate(all="ignore"):
        params, history = module.train(load_examples(model)[0], epochs=epochs, **precision)
    return {
        "records": [{name: repr(value) for name, value in record.items()} for record in history],
        "ended": [history.stopped_by, history.best_epoch],
        "test": {name: repr(value) for name, value in history.test.items()},
        "scaling": {n: {k: digest(a) for k, a in s.items()} for n, s in history.scaling.items()},
        "weights": {name: digest(w) for name, w in params.items()},
    }


def digest(array: object) -> str:
    import numpy as np

    array = np.asarray(array)
    return f"{array.dtype}{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()[:16]}"


def collect(specs: list[str], target: str, epochs: int) -> dict[str, object]:
    found: dict[str, object] = {}
    for spec in specs:
        for style in STYLES[target]:
            for dtype in DTYPES[target]:
                name = f"{spec} {style} {dtype}"
                try:
                    found[name] = told(spec, target, style, dtype, epochs)
                except Exception as error:
                    found[name] = f"{type(error).__name__}: {error}"
    return found


def in_checkout(checkout: Path, options: argparse.Namespace) -> dict[str, object]:
    """What the trainings of a checkout tell, in a process of its own."""
    path = os.pathsep.join(str(checkout / part) for part in ("compiler", "runtime"))
    specs = [part for spec in options.spec for part in ("--spec", spec)]
    command = [sys.executable, __file__, "--dump", "--target", options.target, "--epochs", str(options.epochs), *specs]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, nargs="?", help="a checkout of an earlier commit")
    parser.add_argument("--target", choices=[*STYLES], default="numpy")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--spec", action="append", default=[], help="only these, by name")
    parser.add_argument("--dump", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.dump:
        specs = sorted(f"specs/{p.name}" for p in (ROOT / "specs").glob("*.nn"))
        wanted = [spec for spec in specs if not options.spec or Path(spec).stem in options.spec]
        print(json.dumps(collect(wanted, options.target, options.epochs)))
        return 0
    old, new = in_checkout(options.before, options), in_checkout(ROOT, options)
    wrong = [name for name in old if old[name] != new.get(name)]
    for name in wrong:
        print(f"{name}\n  before {old[name]}\n  after  {new.get(name)}")
    print(f"{len(old)} trainings, {len(wrong)} differ")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
