"""`dotnn explain`: the equations of a network, and the numbers of one example in them."""

from __future__ import annotations

from pathlib import Path

import click

from dotnn.commands.options import FILE, set_option, spec_argument

ENDINGS = (".md", ".html", ".tex", ".ipynb", ".txt")


@click.command("explain")
@spec_argument
@click.option("--example", type=click.IntRange(min=1), help="Add the numbers of this example, counted from 1.")
@click.option("--jacobian", metavar="NAME", help="Add the derivatives of the outputs with respect to this value.")
@click.option("--forward", metavar="NAME", help="Add the derivatives of all values with respect to this one.")
@click.option("--section", metavar="NAME", help="Of several sections of train, the one to explain. Default: the first.")
@click.option("--data", metavar="PATH", type=FILE, help="The file of examples, or the folder that holds it.")
@click.option("--digits", type=click.IntRange(0, 17), default=4, show_default=True, help="Digits behind the point.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=FILE,
    help=f"A file that ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}. Default: text on stdout.",
)
@click.option("--force", is_flag=True, help="Overwrite a file.")
@set_option
def command(
    spec: str,
    example: int | None,
    jacobian: str | None,
    forward: str | None,
    section: str | None,
    data: str | None,
    digits: int,
    output: str | None,
    force: bool,
    sets: tuple[str, ...],
) -> None:
    """Derive the equations of a network, forward and backward, and work an example."""
    if output not in (None, "-") and Path(output).suffix.lower() not in ENDINGS:
        raise click.BadParameter(f"{output!r} ends in none of {', '.join(ENDINGS)}", param_hint="--output")
    if data is not None and (example, jacobian, forward) == (None, None, None):
        raise click.UsageError("--data is of no use without --example, --jacobian or --forward")
    from dotnn.commands.explaining.write import Numbers, written
    from dotnn.reports.console import warn
    from dotnn.running.output import check_output, write_text
    from dotnn.session import Compilation

    begun = Compilation.read(spec, sets, data=data)
    warn(begun.warnings)
    asked = Numbers(example, data, jacobian, forward, digits, section)
    if output in (None, "-"):
        click.echo(written(begun, "", asked), nl=False)
        return
    check_output(Path(output), force=force)
    write_text(written(begun, Path(output).suffix.lower(), asked), Path(output))
    click.echo(f"wrote {output}", err=True)
