"""Many random specs, for as long as one likes: `make fuzz MINUTES=5 SEED=1`.

Every spec is a function of its number; the run begins at SEED * 1,000,000. What fails is made smaller and printed, one
spec of each kind of failure, with the number that makes it again: `make fuzz NUMBER=…`.
"""

import argparse
import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from fuzz.grow import spec
from fuzz.shrink import shrink
from fuzz.trial import Failure, attempt

FIRST = 1_000_000
TENSORFLOW_EVERY = 30
SHRINKING = 60
"""Seconds that the search for a smaller spec may take."""


@dataclass
class Campaign:
    """What came of many specs; failures by kind, each with the numbers of its specs."""

    tensorflow_every: int = TENSORFLOW_EVERY
    specs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: dict[str, list[int]] = field(default_factory=dict)

    def run(self, numbers: Iterable[int], *, show: Callable[[str], None], until: float = float("inf")) -> None:
        """Try the specs of these numbers, one after the other, until the time is over."""
        for number in numbers:
            if time.monotonic() > until:
                return
            self.specs += 1
            with_tensorflow = bool(self.tensorflow_every) and number % self.tensorflow_every == 0
            failure = self._tried(spec(number), number, with_tensorflow)
            if failure is not None:
                known = self.failures.setdefault(failure.kind, [])
                known.append(number)
                if len(known) == 1:
                    show(report(failure, number, with_tensorflow))

    def _tried(self, text: str, number: int, with_tensorflow: bool) -> Failure | None:
        try:
            found = attempt(text, number, tensorflow=with_tensorflow)
        except Failure as failure:
            return failure
        self.outcomes.update(f"{name}: {outcome}" for name, outcome in found.items())
        return None

    def summary(self) -> str:
        """The figures of the run, as text."""
        lines = [f"{self.specs} specs, {sum(map(len, self.failures.values()))} failures"]
        lines += [f"  {count:6} {outcome}" for outcome, count in sorted(self.outcomes.items())]
        lines += [f"  {len(found):6} FAILED: {kind} ({_some(found)})" for kind, found in self.failures.items()]
        return "\n".join(lines)


def _some(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (", …" if len(numbers) > 5 else "")


def report(failure: Failure, number: int, with_tensorflow: bool) -> str:
    """A failure and the smallest spec of its kind, as text."""

    def fails(text: str) -> bool:
        try:
            attempt(text, number, check=failure.of_check, tensorflow=with_tensorflow and failure.of_tensorflow)
        except Failure as found:
            return found.kind == failure.kind
        return False

    return f"\n{'=' * 20} number {number}: {failure}\n{shrink(spec(number), fails, SHRINKING)}"


def main() -> None:
    """Run from the command line; exit with 1 where anything fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--number", type=int, help="try the spec of this number only")
    parser.add_argument("--tensorflow-every", type=int, default=TENSORFLOW_EVERY, help="0: never")
    options = parser.parse_args()
    begun, cpu = time.monotonic(), time.process_time()
    numbers: Iterable[int] = itertools.count(options.seed * FIRST)
    if options.number is not None:
        print(spec(options.number))
        numbers = [options.number]
    campaign = Campaign(options.tensorflow_every)
    until = begun + 60 * options.minutes
    campaign.run(_shown(numbers, campaign, begun), show=lambda text: print(text, flush=True), until=until)
    minutes = (time.process_time() - cpu) / 60
    print(f"\nseed {options.seed}: {campaign.summary()}\n{minutes:.1f} minutes of CPU")
    sys.exit(1 if campaign.failures else 0)


def _shown(numbers: Iterable[int], campaign: Campaign, begun: float) -> Iterable[int]:
    """Pass the numbers on, with a line of progress on a terminal."""
    for number in numbers:
        if sys.stderr.isatty():
            failed = sum(map(len, campaign.failures.values()))
            seconds = time.monotonic() - begun
            print(f"\r{campaign.specs} specs  {failed} failures  {seconds:.0f} s ", end="", file=sys.stderr, flush=True)
        yield number


if __name__ == "__main__":
    main()
