"""A folder with a sub-folder of images for each class, as one array; Pillow reads the images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dotnn.running.converters.base import EXTRA, Converted, Converter
from dotnn.running.requirement import Requirement
from dotnn_runtime.script.errors import DataError, reason_of, suggest

PILLOW = Requirement("Pillow, which reads images,", ("PIL",), EXTRA)
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""What Pillow calls images of so many channels."""
MOST_BYTES = 8 * 2**30


def read_images(
    path: Path, size: tuple[int, int] | None = None, channels: int = 3, known: Sequence[str] | None = None
) -> Converted:
    """Return `image` (n, height, width, channels), uint8 from 0 to 255, and `folder` (n,), the class of each.

    `path` is a folder whose sub-folders, in sorted order, are the classes (or those of `known`, in that order); of a
    folder that has none, and of a single image, there is no class. `size` is the height and width that all images are
    brought to, without one all must have those of the first. Files whose names begin with a point are left out.
    Raises `DataError` for a file that is no image, and for a folder outside of `path` that a link leads to.
    """
    names, files = _listed(path)
    order = list(names if known is None else known)
    for name in names:
        if name not in order:
            raise DataError(f"the folder {name} is none of the classes", path / name, help=suggest(name, order))
    if not files:
        raise DataError("there are no images", path, help="put them into a folder for each class")
    first = _image(files[0][0], size, channels)
    if len(files) * first.nbytes > MOST_BYTES:
        raise DataError(
            f"{len(files):,} images of {first.nbytes:,} bytes are too many", path, help="take a smaller size"
        )
    images = np.empty((len(files), *first.shape), np.uint8)
    for i, (file, _) in enumerate(files):
        image = _image(file, size, channels)
        if image.shape != first.shape:
            height, width = image.shape[:2]
            message = f"the image has {height} x {width} pixels, the first has {first.shape[0]} x {first.shape[1]}"
            raise DataError(message, file, help="say which size all of them are brought to")
        images[i] = image
    classes = np.array([order.index(name) for _, name in files if name], np.int64)
    return Converted({"image": images, **({"folder": classes} if names else {})}, {"folder": order} if names else {})


def _listed(path: Path) -> tuple[list[str], list[tuple[Path, str]]]:
    """Return the names of the sub-folders, and every file with that of its folder, "" for one that has none."""
    if path.is_file():
        return [], [(path, "")]
    root = path.resolve()
    try:
        folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
        inner = [(file, folder.name) for folder in folders for file in sorted(folder.iterdir())]
        outer = [(file, "") for file in sorted(path.iterdir()) if file.is_file()]
    except OSError as error:
        raise DataError(f"cannot be read: {reason_of(error)}", path) from None
    files = [(file, name) for file, name in (inner if folders else outer) if not file.name.startswith(".")]
    for file, _ in files:
        if not file.resolve().is_relative_to(root):
            raise DataError("the link leads out of the folder", file, help="put the image itself there")
    return [folder.name for folder in folders], files


def _image(path: Path, size: tuple[int, int] | None, channels: int) -> np.ndarray:
    """Return one image as `(height, width, channels)`. Raises `DataError`."""
    from PIL import Image, ImageOps

    try:
        with (
            warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning),
            Image.open(path) as opened,
        ):
            if opened.mode[0] in "IF":
                raise DataError(f"the image holds numbers of mode {opened.mode}", path, help="save it with 8 bits")
            image: Any = ImageOps.exif_transpose(opened).convert(MODES[channels])
            if size is not None and image.size != (size[1], size[0]):
                image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            return np.asarray(image, np.uint8).reshape(*image.size[::-1], channels)
    except DataError:
        raise
    except Exception as error:  # of many kinds, as its plug-ins raise them
        reason = " ".join(reason_of(error).replace(f" {str(path)!r}", "").split())
        raise DataError(f"no image that can be read: {reason}", path, help="delete it, or save it anew") from None


IMAGES = Converter(
    "images",
    "a folder with a sub-folder of images for each class",
    lambda path: path.is_dir(),
    PILLOW,
    read_images,
)
