"""Run the whole gate, in any number of goes: `python tests/mutation/gate.py results.jsonl --minutes 20`.

Every mistake of every kind is made, in an order that chance has shuffled once and for all, and what became of it is a
line of the file; what the file has already is not run again. However far it has come, it is an even sample. With
`--pairs`, two mistakes are made at once, in every kind of script in turn.
"""

import argparse
import itertools
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from mutation import fast, pairs, suite  # noqa: E402
from mutation.test_mutation import BESIDE  # noqa: E402

from dotnn_runtime.gradcheck import Verdict  # noqa: E402

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


def pair_outcome(pair, report):
    """What became of two mistakes at once."""
    if report.verdict is not Verdict.FAIL:
        return "missed"
    return ("neither", "one", "both")[sum(pair.blamed(report))]


def run_pair(kind, number, seed):
    """Make two mistakes; None where they are not apart, or one of them does not show by itself."""
    pair = pairs.drawn(kind, seed)[number].pair()
    if pair is None:
        return {"outcome": "no pair", "text": ""}
    report = pair.check()
    blames = [f"line {b.line} {b.name} ({b.pattern})" for b in report.blames]
    lines = f"expected {pair.one.names} {pair.one.lines} and {pair.other.names} {pair.other.lines}"
    return {"outcome": pair_outcome(pair, report), "text": f"{pair} is {report.verdict}, blamed: {blames}, {lines}"}


def run_pairs(file, found, end, seed):
    """Run the pairs that the file has not, one of each kind in turn, and count what became of all."""
    known = {(r["pairs"], r["number"]) for r in found}
    numbered = itertools.zip_longest(
        *([(kind, i) for i in range(len(pairs.drawn(kind, seed)))] for kind in pairs.KINDS)
    )
    for kind, number in filter(None, itertools.chain.from_iterable(numbered)):
        if time.monotonic() > end:
            break
        if (kind, number) not in known:
            found.append({"pairs": kind, "number": number, **run_pair(kind, number, seed)})
            print(json.dumps(found[-1]), file=file, flush=True)
    print(*(f"{r['outcome']}: {r['text']}" for r in found if r["outcome"] not in ("both", "no pair")), sep="\n")
    for kind in pairs.KINDS:
        counts = Counter(r["outcome"] for r in found if r["pairs"] == kind)
        count = sum(counts.values()) - counts["no pair"]
        print(f"{kind}: both of {counts['both']} of {count} pairs,", ", ".join(f"{o} {n}" for o, n in counts.items()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--pairs", action="store_true", help="two mistakes at once")
    parser.add_argument("--seed", type=int, default=11, help="of the pairs that are drawn")
    options = parser.parse_args()
    options.file.touch()
    found = [json.loads(line) for line in options.file.read_text(encoding="utf-8").splitlines()]
    end = time.monotonic() + 60 * options.minutes
    with options.file.open("a", encoding="utf-8") as file:
        run_pairs(file, found, end, options.seed) if options.pairs else run_single(file, found, end)


def run_single(file, found, end):
    """Make the mistakes that the file has not, one at a time, and count what became of all."""
    known = {(r["group"], r["number"]) for r in found}
    mistakes = [(n, i, make) for n, g in suite.groups().items() for i, make in enumerate(g.makers())]
    random.Random(7).shuffle(mistakes)
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
