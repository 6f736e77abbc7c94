"""Many random specs, for as long as one likes, or until Ctrl-C: `make fuzz MINUTES=5 SEED=1`.

Every spec is a function of its number; the run begins at SEED * 1,000,000. What fails is made smaller and printed, one
spec of each kind of failure, with the number that makes it again: `make fuzz NUMBER=…`.
"""

import argparse
import contextlib
import itertools
import logging
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from fuzz.grow import spec
from fuzz.shrink import shrink
from fuzz.trial import SPEC_STAGE, Failure, attempt, stage

FIRST = 1_000_000
TENSORFLOW_EVERY = 30


@dataclass
class Campaign:
    """What came of many specs; failures by kind, each with the numbers of its specs.

    Every `check_every`-th spec is checked by the validator, every `tensorflow_every`-th compared with TensorFlow (0:
    none); `shrinking` is how many seconds the search for a smaller spec may take.
    """

    check_every: int = 1
    tensorflow_every: int = TENSORFLOW_EVERY
    shrinking: float = 60
    specs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: dict[str, list[int]] = field(default_factory=dict)

    def run(self, numbers: Iterable[int], *, show: Callable[[str], None], until: float = float("inf")) -> None:
        """Try the specs of these numbers, one after the other, until the time is over."""
        for number in numbers:
            if time.monotonic() > until:
                return
            self.specs += 1
            failure = self._tried(number)
            if failure is not None:
                known = self.failures.setdefault(failure.kind, [])
                known.append(number)
                if len(known) == 1:
                    show(self.report(failure, number))

    def _tried(self, number: int) -> Failure | None:
        check, tensorflow = (every > 0 and number % every == 0 for every in (self.check_every, self.tensorflow_every))
        try:
            with stage(SPEC_STAGE):  # what is grown on another spec is read once before
                text = spec(number)
            found = attempt(text, number, check=check, tensorflow=tensorflow)
        except Failure as failure:
            return failure
        self.outcomes.update(f"{name}: {outcome}" for name, outcome in found.items())
        return None

    def report(self, failure: Failure, number: int) -> str:
        """A failure and the smallest spec of its kind, as text."""
        heading = f"\n{'=' * 20} number {number}: {failure}"
        if failure.of_spec:
            return heading

        def fails(text: str) -> bool:
            try:
                attempt(text, number, check=failure.of_check, tensorflow=failure.of_tensorflow)
            except Failure as found:
                return found.kind == failure.kind
            return False

        return f"{heading}\n{shrink(spec(number), fails, self.shrinking)}"

    def summary(self) -> str:
        """The figures of the run, as text."""
        lines = [f"{self.specs} specs, {sum(map(len, self.failures.values()))} failures"]
        lines += [f"  {count:6} {outcome}" for outcome, count in sorted(self.outcomes.items())]
        lines += [f"  {len(found):6} FAILED: {kind} ({_some(found)})" for kind, found in self.failures.items()]
        return "\n".join(lines)


def _some(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (", …" if len(numbers) > 5 else "")


def main() -> None:
    """Run from the command line; exit with 1 where anything fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--number", type=int, help="try the spec of this number only")
    parser.add_argument("--check-every", type=int, default=1, help="0: never")
    parser.add_argument("--tensorflow-every", type=int, default=TENSORFLOW_EVERY, help="0: never")
    options = parser.parse_args()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of functions that are traced anew
    warnings.simplefilter("ignore")  # Keras warns of a softmax of one number
    begun, cpu = time.monotonic(), time.process_time()
    numbers: Iterable[int] = itertools.count(options.seed * FIRST)
    if options.number is not None:
        print(spec(options.number))
        numbers = [options.number]
    campaign = Campaign(options.check_every, options.tensorflow_every)
    until = begun + 60 * options.minutes
    with contextlib.suppress(KeyboardInterrupt):  # what was tried until then is summed up
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
