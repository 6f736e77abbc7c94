"""Trainings that are killed (SIGKILL) at random moments, and given again with --resume until they end.

Right is a folder that the same command always goes on with, and in the end the very bytes of the uninterrupted run.

    python tests/reliability/kills.py --rounds 100 --seed 0
    python tests/reliability/kills.py --rounds 20 --seed 0 --target tensorflow
    python tests/reliability/kills.py --rounds 100 --seed 0 --by script
    python tests/reliability/kills.py --rounds 100 --seed 0 --style explain      (an explain script itself keeps no run)
    python tests/reliability/kills.py --every-write

Every regime of training is killed at its writes by `regimes_killed.py`.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

SPEC = """
model M {
  input  x: [8]
  target t: [1]
  output p = x -> dense(16, tanh) -> dropout(0.2) -> dense(1)
}
data { source = npz("data.npz", x = x, t = t)  scale = standard(x)  split = split(train = 80%, val = 20%) }
train { loss = mse(p, t)  optim = adam(cosine(0.01, warmup = 10%))  batch = 16  epochs = EPOCHS
  checkpoint = every(2, keep = best)  stop = early(val_loss, patience = 1000)  clip = global_norm(1) }
"""
OTHERWISE = ("metrics.json", "loss.svg", ".lock", "model.keras")
"""Files of a run that tell its name, the time, or how long it took: two runs of the same training differ in them."""
MORE = {"dotnn": ("--snapshots", "3"), "script": ()}
"""What a command is asked for beside its training: other files that it writes on the way."""
IN_A_PROCESS = "import sys; from dotnn.cli import main; main(sys.argv[1:])"


def prepare(folder: Path, epochs: int) -> None:
    import numpy as np

    rng = np.random.default_rng(1)
    x = rng.standard_normal((160, 8))
    np.savez(folder / "data.npz", x=x, t=np.sin(x.sum(axis=1, keepdims=True)))
    (folder / "spec.nn").write_text(SPEC.replace("EPOCHS", str(epochs)))


def forked(work: Callable[[], object]) -> int:
    """Do some work in a child process, which needs not to start anew; return its number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # no thread of ours holds a lock here
        child = os.fork()
    if child:
        return child
    try:
        with open("out.txt", "w") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
            code = work()
        os._exit(int(code) if isinstance(code, int) else 0)
    except SystemExit as end:
        print(end.code)
        sys.stdout.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(70)


class Training:
    """A command that trains in a run folder, killed or not: by dotnn or by the script, in a fork or a new process."""

    def __init__(self, folder: Path, target: str, by: str, style: str = "fast", more: Sequence[str] = ()) -> None:
        self.folder, self.target, self.by, self.more = folder, target, by, more
        self.style = ["--style", style] if target == "numpy" else []
        if by == "script":
            self._compile()
        elif target == "numpy":
            self._warm_up()

    def _warm_up(self) -> None:
        """Load what a command needs: the forks are killed at work then, not while they load it."""
        import dotnn.commands.training.run  # noqa: F401
        from dotnn.session import Options, compile_spec

        compile_spec(str(self.folder / "spec.nn"), Options(*self.style[1:]))

    def _compile(self) -> None:
        command = ["compile", "spec.nn", "-o", "model.py", "--target", self.target, *self.style]
        subprocess.run([sys.executable, "-c", IN_A_PROCESS, *command], cwd=self.folder, check=True, capture_output=True)

    def arguments(self, run: str) -> list[str]:
        if self.by == "script":
            return ["train", "--out", run, "--resume"]
        return ["train", "spec.nn", "--run", run, "--resume", "--target", self.target, *self.style, *self.more]

    def start(self, run: str) -> int:
        """Start it, and return the number of the process. Its words go to out.txt."""
        os.chdir(self.folder)
        if self.target == "numpy":
            return forked(lambda: self.work(run))
        program = ["model.py"] if self.by == "script" else ["-c", IN_A_PROCESS]
        with open("out.txt", "w") as out:
            done = subprocess.Popen([sys.executable, *program, *self.arguments(run)], stdout=out, stderr=out)
        return done.pid

    def work(self, run: str) -> object:
        if self.by == "script":
            sys.argv = ["model.py", *self.arguments(run)]
            names: dict[str, object] = {"__name__": "generated", "__file__": "model.py"}
            exec(compile(Path("model.py").read_text(), "model.py", "exec"), names)
            return names["main"]()  # type: ignore[operator]
        from dotnn.cli import main

        return main(self.arguments(run))

    def end(self, child: int, after: float | None = None) -> bool:
        """Wait for the end of a process, which is killed after some seconds; return whether it was.

        Raises RuntimeError where it ends otherwise than well.
        """
        deadline = time.monotonic() + (1e9 if after is None else after)
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                if status == 0 or os.WIFSIGNALED(status):
                    return os.WIFSIGNALED(status)
                raise RuntimeError((self.folder / "out.txt").read_text())
            if time.monotonic() >= deadline:
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                return os.WIFSIGNALED(status)
            time.sleep(0.001)

    def files(self, run: str) -> dict[str, bytes]:
        paths = [path for path in sorted((self.folder / run).rglob("*.*")) if path.name not in OTHERWISE]
        return {str(path.relative_to(self.folder / run)): path.read_bytes() for path in paths}

    def faults(self, run: str, whole: dict[str, bytes]) -> list[str]:
        """Return what is wrong with a run that is over: files that are not those of the whole one, and what is left."""
        found = self.files(run)
        differ = [file for file in {**whole, **found} if found.get(file) != whole.get(file)]
        told = [f"{run}: {', '.join(differ)} differ"] if differ else []
        return told + ([f"{run}: {', '.join(left)} left"] if (left := self.left_over(run)) else [])

    def left_over(self, run: str) -> list[str]:
        return [path.name for path in (self.folder / run).rglob("*") if ".tmp" in path.name]


def die_at(moment: int) -> None:
    """Kill this process at a moment of its writing, counted from 0: half way through a file, or around its renaming.

    To be called in the child.
    """
    moments = iter(range(10**9))
    sync, replace = os.fsync, os.replace

    def is_now() -> bool:
        return next(moments) == moment

    def fsync(descriptor: int) -> None:
        if is_now():
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        sync(descriptor)

    def rename(source: str, target: str) -> None:
        if is_now():
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if is_now():
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync, os.replace = fsync, rename  # type: ignore[assignment]


def at_every_write(by: str, stride: int = 1, epochs: int = 4, style: str = "fast") -> tuple[int, list[str]]:
    """Kill a training at every moment at which it writes, or every so many, once each; return the number of moments,
    and what went wrong.

    A file has three moments: every third one would be of one kind.
    """
    here, wrong, moment = Path.cwd(), [], 0
    with tempfile.TemporaryDirectory() as scratch:
        prepare(Path(scratch), epochs)
        training = Training(Path(scratch), "numpy", by, style, MORE[by])
        try:
            training.end(training.start("whole"))
            whole = training.files("whole")
            killed = True
            while killed:
                run = f"run{moment}"
                try:
                    killed = training.end(forked(lambda: (die_at(moment), training.work(run))))  # noqa: B023
                    training.end(training.start(run))
                    wrong += [f"{run}: other files"] if training.files(run) != whole else []
                    wrong += [f"{run}: {', '.join(left)} left"] if (left := training.left_over(run)) else []
                except (RuntimeError, OSError) as error:
                    wrong.append(f"{run}: {error}")
                moment += stride
                if moment > 500:
                    raise RuntimeError("it never ends")
        finally:
            os.chdir(here)
    return moment, wrong


def rounds(
    number: int, seed: int, target: str, by: str, epochs: int, style: str = "fast", most: int = 3
) -> tuple[int, int, list[str]]:
    """Train `number` times, killed up to `most` times each; return the rounds, the kills, and what went wrong."""
    draw, here = random.Random(seed), Path.cwd()
    kills, wrong = 0, []
    with tempfile.TemporaryDirectory() as scratch:
        prepare(Path(scratch), epochs)
        training = Training(Path(scratch), target, by, style, MORE[by])
        try:
            started = time.monotonic()
            training.end(training.start("whole"))
            seconds = time.monotonic() - started
            whole = training.files("whole")
            for count in range(number):
                if sys.stderr.isatty():
                    print(f"\r{count} rounds, {kills} kills, {len(wrong)} gone wrong ", end="", file=sys.stderr)
                run = f"run{count}"
                try:
                    for _ in range(draw.randint(1, most)):
                        kills += training.end(training.start(run), draw.uniform(0, seconds))
                    training.end(training.start(run))
                    differ = [name for name, content in training.files(run).items() if content != whole[name]]
                    wrong += [f"{run}: {', '.join(differ)} differ"] if differ else []
                    wrong += [f"{run}: {', '.join(left)} left"] if (left := training.left_over(run)) else []
                except (RuntimeError, OSError) as error:
                    wrong.append(f"{run}: {error}")
        finally:
            os.chdir(here)
    return number, kills, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=["numpy", "tensorflow"], default="numpy")
    parser.add_argument("--by", choices=["dotnn", "script"], default="dotnn", help="which command trains")
    parser.add_argument("--style", choices=["explain", "fast"], default="fast", help="of the NumPy script")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--every-write", action="store_true", help="instead: once at every moment of writing")
    options = parser.parse_args()
    if options.by == "script" and options.style == "explain":
        parser.error("an explain script keeps no run folder: --style fast")
    started = time.perf_counter()
    if options.every_write:
        count, wrong = at_every_write(options.by, style=options.style)
        kills = count - 1
    else:
        count, kills, wrong = rounds(
            options.rounds, options.seed, options.target, options.by, options.epochs, options.style
        )
    print(*wrong, sep="\n" if wrong else "")
    seconds = time.perf_counter() - started
    print(f"{options.target}: {count} rounds, {kills} kills, {len(wrong)} gone wrong, {seconds:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
