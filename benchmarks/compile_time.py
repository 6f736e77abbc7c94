"""How long `dotnn compile` takes as a process, and how much memory: specs/xor.nn, and chains of 10 to 1,000 layers.

    python benchmarks/compile_time.py [--runs 7] [--layers 10 100 1000]

Wall time is what a user waits for; CPU time is the steadier of the two where other processes share the cores. The
last column is what a further layer costs: linear means that it does not grow from row to row.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

XOR = Path(__file__).parents[1] / "specs" / "xor.nn"
GOALS = {"xor": 0.35, "1,000 layers": 3.0}
MEMORY_GOAL = 150
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere


def chain(layers):
    """Return a spec with this many dense layers, each a statement of its own."""
    names = ["x", *(f"h{i}" for i in range(1, layers))]
    hidden = "\n".join(f"  {out} = {inp} -> dense(8, relu)" for inp, out in itertools.pairwise(names))
    return f"""model Chain {{
  input  x: [8]
  target t: [1]
{hidden}
  output y = {names[-1]} -> dense(1)
}}
train {{
  loss  = mse(y, t)
  optim = adam(1e-3)
}}
"""


def compiled(spec, style, folder):
    """Compile once; return seconds of wall time, seconds of CPU time, and the peak of the memory in MB."""
    command = [sys.executable, "-m", "dotnn", "compile", spec, "--style", style, "-o", str(Path(folder, "out.py"))]
    start = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=ENVIRONMENT)
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(said.decode())
    return took, used.ru_utime + used.ru_stime, used.ru_maxrss * RSS_UNIT / 1e6


def rows(specs, runs, folder):
    """Yield name, style, number of layers and measurements. The runs go round, so that drift hits all alike."""
    found = {(name, style): [] for name in specs for style in ("explain", "fast")}
    for name, style in found:
        compiled(specs[name][0], style, folder)  # writes the bytecode, as any first run does
    for _ in range(runs):
        for (name, style), values in found.items():
            values.append(compiled(specs[name][0], style, folder))
    for (name, style), values in found.items():
        yield name, style, specs[name][1], list(zip(*values, strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--layers", type=int, nargs="+", default=[10, 100, 1000], metavar="N")
    options = parser.parse_args()
    met, before = True, {}
    print(f"{'spec':13} {'style':8} {'wall s: min, median, max':26} {'CPU s: min, median':20} {'peak MB':8} ms/layer")
    with tempfile.TemporaryDirectory() as folder:
        specs = {"xor": (str(XOR), 0)}
        for n in options.layers:
            path = Path(folder, f"chain{n}.nn")
            path.write_text(chain(n), encoding="utf-8")
            specs[f"{n:,} layers"] = (str(path), n)
        for name, style, layers, (wall, cpu, memory) in rows(specs, options.runs, folder):
            more = ""
            if style in before and layers:
                last_layers, last_cpu = before[style]
                more = f"{1000 * (min(cpu) - last_cpu) / (layers - last_layers):.2f}"
            if layers:
                before[style] = layers, min(cpu)
            times = f"{min(wall):6.2f} {median(wall):6.2f} {max(wall):6.2f}"
            print(
                f"{name:13} {style:8} {times:26} {min(cpu):6.2f} {median(cpu):6.2f}        {max(memory):5.0f}    {more}"
            )
            met = met and min(wall) < GOALS.get(name, float("inf")) and max(memory) < MEMORY_GOAL
    goals = ", ".join(f"{name} under {seconds} s" for name, seconds in GOALS.items())
    print(f"goals ({goals}, {MEMORY_GOAL} MB): {'met' if met else 'MISSED'}, by the fastest run")
    return 0 if met else 1


ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

if __name__ == "__main__":
    sys.exit(main())
