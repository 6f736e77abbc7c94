"""Run the whole gate, in any number of goes: `python tests/mutation/gate.py results.jsonl --minutes 20`.

Every mistake of every kind is made, in an order that chance has shuffled once and for all, and what became of it is a
line of the file; what the file has already is not run again. However far it has come, it is an even sample.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from mutation import fast, suite  # noqa: E402
from mutation.test_mutation import BESIDE  # noqa: E402

KINDS = {"fast_": "fast", "trained_": "training", suite.RULE: "rules"}


def kind(name):
    """What kind of lines a group of mistakes is made in."""
    return next((kind for start, kind in KINDS.items() if name.startswith(start)), "lines")


def outcome(row):
    """What became of a mistake: `blamed` is right, `listed` too; `loss` is caught where no line needs the blame."""
    if row.equivalent:
        return "same" if row.right else "alarm"
    if not row.caught:
        return "missed"
    if row.mutant.names == (fast.LOSS,):
        return "loss"
    return "blamed" if row.right else "listed" if row.mutant.id in BESIDE else "beside"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    options = parser.parse_args()
    options.file.touch()
    found = [json.loads(line) for line in options.file.read_text(encoding="utf-8").splitlines()]
    known, end = {(r["group"], r["number"]) for r in found}, time.monotonic() + 60 * options.minutes
    mistakes = [(n, i, make) for n, g in suite.groups().items() for i, make in enumerate(g.makers())]
    random.Random(7).shuffle(mistakes)
    with options.file.open("a", encoding="utf-8") as file:
        for name, number, make in mistakes:
            if (name, number) in known:
                continue
            if time.monotonic() > end:
                break
            row = suite.run(make())
            found.append({"group": name, "number": number, "outcome": outcome(row), "text": str(row)})
            print(json.dumps(found[-1]), file=file, flush=True)
    print(*(r["text"] for r in found if r["outcome"] in ("missed", "alarm", "beside")), sep="\n")
    counts = Counter((kind(r["group"]), r["outcome"]) for r in found)
    print(f"{len(found)} of {len(mistakes)} mistakes:", *(f"{k} {o} {n}," for (k, o), n in sorted(counts.items())))


if __name__ == "__main__":
    main()
