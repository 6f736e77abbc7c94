"""The command line: options in, exit codes out. All work is the driver's."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

import click

from dotnn import __version__
from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.reports.console import show_errors, show_fault, show_json, warn

SETS = click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="Override a parameter of `params`.")
TARGET = click.option(
    "--target", type=click.Choice(["numpy", "tensorflow"]), default="numpy", show_default=True, help="What to generate."
)
SEED = click.IntRange(0, 2**32 - 1)  # as in a spec
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


class FileName(click.ParamType):  # type: ignore[type-arg]
    """The name of a file, taken as it is: `_check_names` asks the system about it, and the error is dotnn's own."""

    name = "path"


FILE = FileName()
SPEC = click.argument("spec", metavar="SPEC", type=FILE)


def _for_numpy(target: str, *options: str) -> None:
    """Refuse options that mean nothing to another target. Raises `click.UsageError`."""
    context = click.get_current_context()
    given = [o for o in options if context.get_parameter_source(o) is not click.core.ParameterSource.DEFAULT]
    if target != "numpy" and given:
        flag = given[0].replace("_", "-")
        raise click.UsageError(f"--{flag} does not apply to --target {target}: its scripts have one form")


CLOSED_PIPE = 141
"""The exit code of a program whose reader has gone, as shells count it: 128 + SIGPIPE."""


def _flushed(code: int) -> int:
    """Return the exit code of a command, once what it printed is written; a reader that has gone is no failure."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or CLOSED_PIPE
    if code == CLOSED_PIPE:
        with suppress(OSError, ValueError):  # else Python tries to write the rest at its end, and says so
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def reports(command: Callable[..., int | None]) -> Callable[..., None]:
    """Turn a `CompileError` into its text on stderr, with --json into one object on stdout, too, and exit code 1."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            _check_names(click.get_current_context())
            code = command(*args, **kwargs)
        except CompileError as error:
            show_errors(error)
            if kwargs.get("as_json"):
                show_json({"errors": error.to_json()})
            code = 1
        except BrokenPipeError:
            code = CLOSED_PIPE
        except click.ClickException:
            raise
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            help = "check the name, the disk and the permissions"
            show_errors(CompileError([Diagnostic("NN001", f"{place}{error.strerror or error}", help=help)]))
            code = 1
        except Exception as fault:  # a bug of ours must not look like a mistake of the user's
            if os.environ.get("DOTNN_TRACEBACK"):
                raise
            show_fault(fault)
            code = 1
        sys.exit(_flushed(code or 0))

    return run


def _check_names(context: click.Context) -> None:
    """Raise `CompileError` for a file name on the command line that the system refuses: too long, or with a NUL."""
    for param in context.command.params:
        given = context.params.get(param.name or "") if isinstance(param.type, FileName) else None
        for name in given if isinstance(given, tuple) else [given] if given else []:
            try:
                os.lstat(name)
            except (OSError, ValueError) as error:
                if isinstance(error, ValueError) or error.errno in (errno.ENAMETOOLONG, errno.EINVAL):
                    raise CompileError([_refused(name, error)]) from None


def _refused(name: str, error: OSError | ValueError) -> Diagnostic:
    shown = repr(name if len(name) < 80 else f"{name[:60]}…")
    reason = getattr(error, "strerror", "") or error
    return Diagnostic("NN001", f"{shown} cannot be the name of a file: {reason}", help="choose another name")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dotnn")
def main() -> None:
    """Compile .nn specs to readable NumPy or TensorFlow, check the gradients, train."""


@main.command("compile")
@SPEC
@TARGET
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=FILE,
    help="Where to write; - is stdout. Default: the spec's name with .py, here.",
)
@click.option("--style", type=click.Choice(["explain", "fast"]), default="explain", show_default=True)
@click.option("--input-gradients", is_flag=True, help="Also compute the gradient by the network's inputs.")
@click.option(
    "--distribute",
    type=click.Choice(["mirrored", "multiworker"]),
    help="Train TensorFlow on several devices of a machine, or on several machines.",
)
@click.option("--verify", is_flag=True, help="Verify the graph after every pass, and the memory of a fast step.")
@click.option("--force", is_flag=True, help="Overwrite a file that dotnn did not write.")
@SETS
@reports
def compile_command(
    spec: str,
    target: str,
    output: str | None,
    style: str,
    input_gradients: bool,
    distribute: str | None,
    verify: bool,
    force: bool,
    sets: tuple[str, ...],
) -> None:
    """Write one self-contained script."""
    _for_numpy(target, "style", "input_gradients")
    if distribute and target == "numpy":
        raise click.UsageError("--distribute needs --target tensorflow")
    from dotnn.session import Options, compile_spec, write_script

    options = Options(style, sets, input_gradients, target, distribute or "")
    compiled = compile_spec(spec, options, check=verify)
    warn(compiled.warnings)
    if output == "-" or (spec == "-" and not output):
        click.echo(compiled.script, nl=False)
        return
    path = Path(output) if output else Path(f"{Path(spec).stem}{'_tf' if target == 'tensorflow' else ''}.py")
    write_script(compiled.script, path, force=force, spec=Path(spec))
    click.echo(f"wrote {path}", err=True)


@main.command()
@SPEC
@JSON
@click.option("--seed", type=SEED, default=None, help="Seed of parameters, data and probes. Default: the spec's.")
@click.option("--spec", "origin", metavar="SPEC", type=FILE, help="For a script: what it was compiled from.")
@click.option("--against", type=click.Choice(["tensorflow"]), help="Also compare with TensorFlow's own gradients.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 1e6, min_open=True),
    metavar="S",
    help="End the check after so many seconds. Default: 60 for a script, none for a spec.",
)
@SETS
@reports
def check(
    spec: str,
    origin: str | None,
    as_json: bool,
    seed: int | None,
    against: str | None,
    timeout: float | None,
    sets: tuple[str, ...],
) -> int:
    """Validate the gradients of a spec, or of a generated script (SPEC ends in .py), edited or not."""
    from dotnn.running.threads import use_one_thread

    use_one_thread()
    if against and spec.endswith(".py"):
        raise click.UsageError("--against compares what a spec compiles to: name the spec")
    if sets and spec.endswith(".py") and origin is None:
        raise click.UsageError("--set changes a spec: name the spec, or give it with --spec")
    from dotnn.commands.checking import check_path

    return check_path(spec, spec=origin, sets=sets, seed=seed, against=against, as_json=as_json, timeout=timeout)


@main.command()
@SPEC
@JSON
@click.option("--steps", type=click.IntRange(1), default=50, show_default=True, help="How many updates.")
@click.option("--seed", type=SEED, default=None, help="Seed of parameters, batches and draws. Default: the spec's.")
@SETS
@reports
def diff(spec: str, as_json: bool, steps: int, seed: int | None, sets: tuple[str, ...]) -> int:
    """Train on NumPy and TensorFlow side by side, in double precision; say where they part."""
    from dotnn.running.threads import use_one_thread

    use_one_thread()
    from dotnn.commands.diffing import diff_path

    return diff_path(spec, sets=sets, steps=steps, seed=seed, as_json=as_json)


@main.command()
@SPEC
@TARGET
@click.option("--run", "run_dir", metavar="DIR", type=FILE, help="The run folder. Default: a fresh one in runs/.")
@click.option("--data", metavar="PATH", type=FILE, help="The data file, or the folder that holds it.")
@click.option("--style", type=click.Choice(["explain", "fast"]), default="fast", show_default=True)
@click.option("--epochs", type=click.IntRange(1), help="Instead of the spec's.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint of the run, if there is one.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier run in the same folder.")
@JSON
@SETS
@reports
def train(spec: str, sets: tuple[str, ...], **options: Any) -> int:
    """Compile, train with a progress bar, write the run folder."""
    _for_numpy(options["target"], "style")
    from dotnn.running.threads import choose_threads
    from dotnn.session import front

    if options["resume"] and options["overwrite"]:
        raise click.UsageError("--resume goes on with a run, --overwrite replaces it: give one of them")
    model, warnings = front(spec, sets)
    warn(warnings)
    choose_threads(model)
    from dotnn.commands.training import train_model

    return train_model(model, sets=sets, **options)


@main.command()
@click.argument("run", metavar="RUN", type=FILE)
@click.option(
    "--input", "input_file", metavar="FILE", type=FILE, required=True, help="CSV with a header, or .npz; - is stdin."
)
@click.option("-o", "--output", metavar="FILE", type=FILE, help="CSV or .npz to write. Default, and -: CSV on stdout.")
@click.option("--force", is_flag=True, help="Overwrite the output file.")
@reports
def predict(run: str, input_file: str, output: str | None, force: bool) -> None:
    """Predict with a finished run, in the target's own units."""
    from dotnn.commands.predicting import predict_run

    predict_run(run, input_file, output, force)


@main.command()
@SPEC
@click.option(
    "--stage", type=click.Choice(["ast", "model", "ir", "passes", "schedule"]), default="model", show_default=True
)
@SETS
@reports
def dump(spec: str, stage: str, sets: tuple[str, ...]) -> None:
    """Print a stage as readable text."""
    from dotnn.session import dump_stage

    click.echo(dump_stage(spec, stage, sets), nl=False)


@main.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit 1 if a file would change.")
@reports
def fmt(files: tuple[str, ...], only_check: bool) -> int:
    """Format specs in place; comments stay."""
    from dotnn.session import format_file

    code = 0
    for name in files:
        try:
            changed = format_file(Path(name), only_check=only_check)
        except CompileError as error:  # the other files are formatted all the same
            show_errors(error)
            code = 1
            continue
        if changed:
            click.echo(f"{'would change' if only_check else 'formatted'} {name}", err=True)
            code = 1 if only_check else code
    return code
