"""`make bench`: training steps or predictions per second of a generated script beside other libraries.

    python benchmarks/run.py --verify                       # that all compute the same, nothing else
    python benchmarks/run.py --workloads W1 W2 --peers numpy_tuned sklearn --repeats 9
    python benchmarks/run.py --threads 2 --write            # into benchmarks/results/

See benchmarks/README.md for what is measured, and how.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
from pathlib import Path
from statistics import median

import numpy as np
from interleaved import measured
from peers import PEERS, absent, build, dotnn_script
from peers.workloads import WORKLOADS

RESULTS = Path(__file__).parent / "results"
STEPS = 20
GRADIENT_TOLERANCE, DOUBLE_TOLERANCE = 1e-5, 1e-9
LOSS_TOLERANCE = 5e-4  # where rounding puts one unit of W3 on the other side of 0, Adam's first steps multiply it


def relative(ours, theirs):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-8))


def verify(name):
    """Compare ours with the hand-tuned code: gradients of one batch, and losses of the first steps that `fit` takes.

    The losses are compared in float64 with the textbook code, too: there, rounding explains nothing.
    """
    workload = WORKLOADS[name]
    if workload.rows:
        return verify_prediction(name)
    first = np.arange(workload.batch)
    (_, ours), (_, theirs) = (build(peer, workload, 1).grads(first) for peer in ("dotnn", "numpy_tuned"))
    gradients = max(relative(ours[key], theirs[key]) for key in theirs)
    single, double = (losses(workload, *pair) for pair in (("float32", "numpy_tuned"), ("float64", "numpy_text64")))
    right = gradients <= GRADIENT_TOLERANCE and single <= LOSS_TOLERANCE and double <= DOUBLE_TOLERANCE
    print(
        f"{name:12} largest relative difference: gradients {gradients:.0e}, {STEPS} losses {single:.0e}, "
        f"in float64 {double:.0e}   {'ok' if right else 'WRONG'}"
    )
    return right


def verify_prediction(name):
    """Compare the predictions of ours with those of its own `forward`, and of torch, where that is installed."""
    others = [peer for peer in ("dotnn_forward", "torch") if not absent(peer)]
    ours, *theirs = (build(peer, WORKLOADS[name], 1).predict() for peer in ("dotnn", *others))
    error = max(relative(ours, other) for other in theirs)
    right = error <= GRADIENT_TOLERANCE
    print(f"{name:16} largest relative difference: predictions {error:.0e}   {'ok' if right else 'WRONG'}")
    return right


def losses(workload, dtype, peer):
    """Return how far the losses of the first steps of `fit` are from those of a peer on the same rows."""
    taken = dotnn_script.Runner(workload, dtype=dtype).trace(STEPS, -(-STEPS // workload.steps))
    assert len(taken) == STEPS
    rows = [np.arange(workload.batch) if chosen is None else chosen for chosen, _ in taken]
    return relative([loss for _, loss in taken], build(peer, workload, 1).trace(rows))


def cell(values, digits=0):
    """Return the median, and the lowest and highest value, as text."""
    low, middle, high = (f"{v:,.{digits}f}" for v in (min(values), median(values), max(values)))
    return f"{middle} ({low} to {high})"


def rows(name, names, rounds, missing):
    """Return the lines of one workload: steps/s of every peer, and how many times as fast the first one (ours) is."""
    for peer in names:
        if peer in missing:
            yield name, peer, missing[peer], ""
            continue
        speeds = [one[peer] for one in rounds]
        ratios = [one[names[0]] / one[peer] for one in rounds if names[0] in one]
        yield name, peer, cell(speeds), cell(ratios, 2) if ratios and peer != names[0] else ""


def table(lines):
    head = ("workload", "peer", "steps/s: median (range)", "ours/peer: median (range)")
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ("---", "---", "--:", "--:"), *lines))


def heading(threads, repeats, seconds):
    return (
        f"{datetime.date.today()}, {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, "
        f"NumPy {np.__version__}, BLAS threads: {threads}, {repeats} rounds of {seconds} s each"
    )


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), metavar="W")
    parser.add_argument("--peers", nargs="+", metavar="PEER", default=[p for p in PEERS if p != "dotnn"],
                        help=f"of {', '.join(PEERS)}; or the path of a generated script")  # fmt: skip
    parser.add_argument("--ours", default="dotnn", choices=("dotnn", "dotnn_tf"), help="which script is compared")
    parser.add_argument("--repeats", type=int, default=5, help="rounds, each of which asks every peer once")
    parser.add_argument("--seconds", type=float, default=0.5, help="one measurement takes about so long")
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads")
    parser.add_argument("--verify", action="store_true", help="only check that ours computes what numpy_tuned does")
    parser.add_argument("--write", action="store_true", help="also write the table into benchmarks/results/")
    found = parser.parse_args()
    for peer in found.peers:
        if peer not in PEERS and not Path(peer).is_file():
            parser.error(f"there is no peer {peer}")
    return found


def main():
    options = arguments()
    if options.verify:
        return 0 if min(map(verify, options.workloads)) else 1
    names = list(dict.fromkeys([options.ours, *options.peers]))
    timing = {"threads": options.threads, "repeats": options.repeats, "seconds": options.seconds}
    lines = []
    for name in options.workloads:
        found = list(rows(name, names, *measured(name, names, **timing)))
        for line in found:
            print("  ".join(text.ljust(width) for text, width in zip(line, (18, 14, 32, 0), strict=True)), flush=True)
        lines += found
    text = f"{heading(**timing)}\n\n{table(lines)}\n"
    if options.write:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{datetime.date.today()}-threads-{options.threads}.md"
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
