"""Measuring in rotation: one process per peer, all asked in turn, so that what slows the machine down hits all alike.

`python interleaved.py WORKLOAD PEER THREADS` is one such process: a line with a number of epochs on its stdin makes it
train that many, and answer with one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import peers
from peers.workloads import WORKLOADS, CannotDo

THREAD_COUNTS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
LOST = 0.03  # a round in which a peer lost more of its time than this to other processes is done again


def stolen():
    """Seconds that the hypervisor gave to others instead of us, over all cores; 0 where unknown."""
    try:
        with open("/proc/stat") as file:
            return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


def kept_waiting(threads):
    """Seconds in which threads of this process could run, but other processes had the cores; 0 where unknown."""
    total = 0.0
    for thread in threads:
        try:
            total += int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, ValueError, IndexError):
            continue
    return total


class Worker:
    """A peer in a process of its own, with its own number of BLAS threads."""

    def __init__(self, workload, peer, threads, seconds):
        self.peer, self.workload, self.trouble = peer, WORKLOADS[workload], ""
        self.process = subprocess.Popen(
            [sys.executable, __file__, workload, peer, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | dict.fromkeys(THREAD_COUNTS, str(threads)),
        )
        try:
            self._answer()
            self.epochs = self._calibrated(seconds)
        except (CannotDo, EOFError) as reason:
            self.trouble = str(reason) or "its process ended"

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise EOFError
        found = json.loads(line)
        if "trouble" in found:
            raise CannotDo(found["trouble"])
        return found

    def _run(self, epochs):
        print(epochs, file=self.process.stdin, flush=True)
        return self._answer()

    def _calibrated(self, seconds):
        """Return the number of epochs that takes about this long."""
        epochs = 1
        while True:
            found = self._run(epochs)
            epochs, took = found["epochs"], found["seconds"] - min(found["waited"], found["seconds"] / 2)
            if took > seconds / 2:
                return max(1, round(epochs * seconds / took))
            epochs = max(epochs * 2, int(epochs * seconds / max(took, 1e-3) * 0.8))

    def measure(self):
        """Return what `timed` says of one measurement."""
        return self._run(self.epochs)

    def speed(self, found, cpu):
        """Return steps per second, of the time on the clock or, with `cpu`, of that of the processor."""
        return found["epochs"] * self.workload.steps / found["cpu" if cpu else "seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measured(workload, names, *, threads, repeats, seconds):
    """Return the rounds of a workload, each a dict from peer to steps/s, and why which peer is in none."""
    missing = {name: "absent" for name in names if peers.absent(name)}
    workers = [Worker(workload, name, threads, seconds) for name in names if name not in missing]
    missing |= {w.peer: w.trouble for w in workers if w.trouble}
    able = [w for w in workers if not w.trouble]
    rounds = []
    for turn in range(2 * repeats):
        rounds.append({w: w.measure() for w in (able if turn % 2 else able[::-1])})
        if sum(lost(one) <= LOST for one in rounds) >= repeats:
            break
    for worker in workers:
        worker.close()
    rounds = sorted(rounds, key=lost)[:repeats]
    cpu = cores() == 1 or all(found["threads"] == 1 for one in rounds for found in one.values())
    return [{w.peer: w.speed(found, cpu) for w, found in one.items()} for one in rounds], missing


def cores():
    """Return how many cores this process may use; 0 where unknown."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0


def lost(one):
    """Return the largest part of its time that a peer of this round lost to other processes."""
    return max((found["lost"] for found in one.values()), default=0)


def timed(runner, epochs):
    """Train this many epochs; return how long it took, and how much of that other processes took away.

    `waited` is what one thread waited for a core. Where there are more threads, others may work meanwhile.
    """
    unit = getattr(runner, "unit", 1)
    epochs = -(-epochs // unit) * unit
    runner.run(unit)  # caches and threads are cold after the others' turns
    tasks = os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else []
    start = time.perf_counter()
    steal, waits, cpu = stolen(), kept_waiting(tasks), time.process_time()
    runner.run(epochs)
    cpu = time.process_time() - cpu
    steal, waits = stolen() - steal, kept_waiting(tasks) - waits
    took = time.perf_counter() - start
    return {
        "epochs": epochs,
        "seconds": took,
        "waited": waits,
        "cpu": cpu,
        "lost": (steal + waits) / took,
        "threads": len(tasks),
    }


def serve(workload, peer, threads):
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not come between the answers

    def answer(found):
        print(json.dumps(found), file=answers, flush=True)

    try:
        runner = peers.build(peer, WORKLOADS[workload], int(threads))
    except CannotDo as reason:
        answer({"trouble": str(reason)})
        return
    answer({})
    for line in sys.stdin:
        answer(timed(runner, int(line)))


if __name__ == "__main__":
    serve(*sys.argv[1:])
