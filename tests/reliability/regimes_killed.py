"""Every regime of training, killed (SIGKILL) at writes that are drawn, and given again with --resume until it ends.

What a killed training leaves is what it has written: a kill while it computes leaves what one at the write before does.
Right is a folder that the same command always goes on with, and in the end the very bytes of the uninterrupted run.

    cd tests; python -m reliability.regimes_killed --kills 20 --seed 0
    cd tests; python -m reliability.regimes_killed --kills 20 --seed 0 --style explain
    cd tests; python -m reliability.regimes_killed --kills 5 --target tensorflow --regime "turns"
"""

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from reliability.kills import Training, die_at, forked
from reliability.trainings import REGIMES, prepare

MOMENTS = "moments.txt"


def counting() -> None:
    """Let this process, a child, note how many moments its writing has: those of `die_at`."""
    sync, replace, count = os.fsync, os.replace, 0

    def add(number: int) -> None:
        nonlocal count
        count += number
        Path(MOMENTS).write_text(str(count))

    def fsync(descriptor: int) -> None:
        add(1)
        sync(descriptor)

    def rename(source: str, target: str) -> None:
        add(2)
        replace(source, target)

    os.fsync, os.replace = fsync, rename  # type: ignore[assignment]


def killed(name: str, kills: int, seed: int, style: str = "fast", target: str = "numpy") -> tuple[int, list[str]]:
    """Kill the training of a regime so many times, at most three times before it may end; return how many moments there
    were to choose from, and what went wrong."""
    draw, here, done, wrong = random.Random(seed), Path.cwd(), 0, []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        prepare(folder, name)
        training = Training(folder, target, "dotnn", style)
        os.chdir(folder)
        try:
            training.end(forked(lambda: training.work("first")))
            training.more = REGIMES[name].words
            training.end(forked(lambda: (counting(), training.work("whole"))[1]))
            whole, moments = training.files("whole"), int((folder / MOMENTS).read_text())
            while done < kills:
                run = f"run{done}"
                for _ in range(draw.randint(1, min(3, kills - done))):
                    moment = draw.randrange(moments)
                    done += training.end(forked(lambda: (die_at(moment), training.work(run))[1]))  # noqa: B023
                training.end(forked(lambda: training.work(run)))  # noqa: B023
                wrong += [f"{name}, {fault}" for fault in training.faults(run, whole)]
        except (RuntimeError, OSError) as error:
            wrong.append(f"{name}: {error}")
        finally:
            os.chdir(here)
    return moments, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="of each regime")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=["numpy", "tensorflow"], default="numpy")
    parser.add_argument("--style", choices=["explain", "fast"], default="fast", help="of the NumPy script")
    parser.add_argument("--regime", nargs="*", choices=[*REGIMES], help="default: all that the target has")
    options = parser.parse_args()
    if options.target == "tensorflow":
        import keras  # noqa: F401  # the forks need not
    names = options.regime or [n for n, regime in REGIMES.items() if options.target == "numpy" or regime.keras]
    failures, started = 0, time.perf_counter()
    for name in names:
        begun = time.perf_counter()
        moments, wrong = killed(name, options.kills, options.seed, options.style, options.target)
        failures += len(wrong)
        seconds = time.perf_counter() - begun
        print(f"| {name} | {moments} | {options.kills} | {len(wrong)} | {seconds:.0f} s |", flush=True)
        for line in wrong:
            print(line)
    print(f"{len(names)} regimes, {failures} gone wrong, {time.perf_counter() - started:.0f} s")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
