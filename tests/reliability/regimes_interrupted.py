"""Every regime of training in TensorFlow, ended at moments that are drawn, and given again with --resume until it ends.

`regimes_killed.py` needs a process for each training, and in each of them TensorFlow begins anew and compiles: minutes
for a regime. Here one process has it once and runs its functions step by step. A clock ends the training wherever it
is, by an exception that nothing catches: of what it computes nothing is left but what is in its files, as after a kill.
What a kill leaves half written is the matter of `regimes_killed.py`: all targets write with the same functions.
Right is in the end the very bytes of the uninterrupted run.

    cd tests; python -m reliability.regimes_interrupted --ends 20 --seed 0
    cd tests; python -m reliability.regimes_interrupted --ends 3 --regime "turns" "gradient(h)"
"""

import argparse
import io
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType

from reliability.kills import Training
from reliability.trainings import REGIMES, prepare

SOON = 1e-4
"""After so many seconds the clock looks again."""


class Over(BaseException):
    """What ends a training: nothing but the clock that raises it knows of it."""


class Clock:
    """Ends what it runs after some seconds, and knows how long that took."""

    def __init__(self) -> None:
        self.after: float | None = None
        self.seconds = 0.0
        signal.signal(signal.SIGALRM, self._ring)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        """End the training, once a line of dotnn's or of a script's is run: TensorFlow crashes of it within its own."""
        if frame is not None and "site-packages" in frame.f_code.co_filename:
            signal.setitimer(signal.ITIMER_REAL, SOON)
            return
        raise Over

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the time of this go by the clock."""
        started = time.perf_counter()
        if self.after is not None:
            signal.setitimer(signal.ITIMER_REAL, max(self.after, 1e-6))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.seconds = time.perf_counter() - started


def begin() -> Clock:
    """Have TensorFlow in this process, step by step, and the trainings of `dotnn train` by a clock."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import tensorflow as tf

    import dotnn.commands.training.run as training

    tf.config.run_functions_eagerly(True)
    clock, run = Clock(), training._run

    def timed(*args, **options):  # type: ignore[no-untyped-def]
        with clock.running():
            return run(*args, **options)

    training._run = timed
    return clock


def trained(words: Sequence[str], clock: Clock, after: float | None = None) -> bool:
    """Give a command; return whether the clock has ended it. Raises RuntimeError where it ends otherwise than well."""
    from dotnn.cli import main

    clock.after, said = after, io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said), warnings.catch_warnings(action="ignore"):
            main([*words])
    except Over:
        return True
    except SystemExit as end:
        if end.code:
            raise RuntimeError(said.getvalue()) from None
    return False


def interrupted(name: str, ends: int, seed: int, clock: Clock) -> tuple[int, list[str]]:
    """End the training of a regime so many times, at most three times before it may end.

    Return how many trainings there were, and what went wrong.
    """
    draw, here, done, wrong, count = random.Random(seed), Path.cwd(), 0, [], 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        prepare(folder, name)
        training = Training(folder, "tensorflow", "dotnn")
        os.chdir(folder)
        try:
            trained(training.arguments("first"), clock)
            training.more = REGIMES[name].words
            trained(training.arguments("whole"), clock)
            whole, seconds = training.files("whole"), clock.seconds
            while done < ends:
                run = f"run{count}"
                for _ in range(draw.randint(1, min(3, ends - done))):
                    done += trained(training.arguments(run), clock, draw.uniform(0, seconds))
                trained(training.arguments(run), clock)
                wrong += [f"{name}, {fault}" for fault in training.faults(run, whole)]
                count += 1
        except (RuntimeError, OSError) as error:
            wrong.append(f"{name}: {error}")
        finally:
            os.chdir(here)
    return count, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ends", type=int, default=20, help="of each regime")
    parser.add_argument("--seed", type=int, default=0)
    names = [name for name, regime in REGIMES.items() if regime.keras]
    parser.add_argument("--regime", nargs="*", choices=names, help="default: all that TensorFlow has")
    options = parser.parse_args()
    clock, failures, started = begin(), 0, time.perf_counter()
    for name in options.regime or names:
        begun = time.perf_counter()
        count, wrong = interrupted(name, options.ends, options.seed, clock)
        failures += len(wrong)
        print(f"| {name} | {count} | {options.ends} | {len(wrong)} | {time.perf_counter() - begun:.0f} s |", flush=True)
        for line in wrong:
            print(line)
    print(f"{len(options.regime or names)} regimes, {failures} gone wrong, {time.perf_counter() - started:.0f} s")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
