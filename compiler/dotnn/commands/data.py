"""`dotnn data`: images and tables of other programs become files that every script reads."""

from __future__ import annotations

import click

from dotnn.commands.options import FILE


@click.command("data")
@click.argument("file", metavar="FILE", type=FILE)
@click.option("-o", "--output", metavar="FILE", type=FILE, required=True, help="The .npz or .csv file to write.")
@click.option("--size", type=click.IntRange(1), nargs=2, metavar="H W", help="Images: what all are brought to.")
@click.option("--channels", type=click.Choice(["1", "3", "4"]), help="Images: 1 grey, 3 RGB (the default), 4 RGBA.")
@click.option("--like", metavar="FILE.npz", type=FILE, help="Images: size, channels and classes as in this file.")
@click.option("--force", is_flag=True, help="Overwrite the output file.")
def command(
    file: str, output: str, size: tuple[int, int] | None, channels: str | None, like: str | None, force: bool
) -> None:
    """Convert a folder of images, a Parquet, Arrow or Excel file."""
    from dotnn.running.convert import convert_file

    if like and (size or channels):
        raise click.UsageError("--like has a size and channels: leave --size and --channels out")
    options = {"size": size, "channels": int(channels) if channels else None, "like": like}
    found = convert_file(file, output, force=force, **options)
    shapes = {name: array.shape for name, array in found.arrays.items()}
    if found.table is not None:
        shapes = {name: (len(found.table),) for name in found.table.columns}
    for name, shape in shapes.items():
        texts = f": {', '.join(found.texts[name])}" if name in found.texts else ""
        click.echo(f"{name} {'x'.join(map(str, shape))}{texts}")
    click.echo(f"wrote {output}", err=True)
