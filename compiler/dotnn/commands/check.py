"""`dotnn check`: are the gradients of a spec, or of a script as it is on disk, right?"""

from __future__ import annotations

import click

from dotnn.commands.options import FILE, SEED, json_option, set_option, spec_argument
from dotnn.targets import WITNESSES


@click.command("check")
@spec_argument
@json_option
@click.option("--seed", type=SEED, default=None, help="Seed of parameters, data and probes. Default: the spec's.")
@click.option("--spec", "origin", metavar="SPEC", type=FILE, help="For a script: the spec that it was compiled from.")
@click.option("--against", type=click.Choice([*WITNESSES]), help="Also compare with another target's own gradients.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 1e6, min_open=True),
    metavar="S",
    help="Stop the check after this many seconds. Default: 60 for a script, none for a spec.",
)
@set_option
def command(
    spec: str,
    origin: str | None,
    as_json: bool,
    seed: int | None,
    against: str | None,
    timeout: float | None,
    sets: tuple[str, ...],
) -> int:
    """Validate the gradients of a spec or a script.

    SPEC is a spec, or a script that was compiled from one (its name ends in .py), edited or not.
    """
    from dotnn.running.threads import use_one_thread

    use_one_thread()
    is_script = spec.endswith(".py")
    if against and is_script:
        raise click.UsageError("--against compares what a spec compiles to: name the spec instead of the script")
    if sets and is_script and origin is None:
        raise click.UsageError("--set changes a spec: name the spec, or give it with --spec")
    from dotnn.commands.checking.run import check_path
    from dotnn.reports.console import show_json
    from dotnn_runtime.gradcheck import print_report

    report = check_path(spec, spec=origin, sets=sets, seed=seed, against=against, timeout=timeout)
    if as_json:
        show_json(report.to_json())
    else:
        print_report(report)
    return report.exit_code
