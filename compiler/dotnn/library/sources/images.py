"""A folder of images, with a sub-folder for each class."""

from dotnn.core.arguments import POSITIVE_INT, Arg, Attrs, Kind, all_of
from dotnn.library.sources.base import DataSource, Shape


def _size(value: object) -> tuple[int, ...] | None:
    found = all_of(POSITIVE_INT, value)
    return found if found is not None and len(found) == 2 else None


def _channels(value: object) -> int | None:
    return value if isinstance(value, int) and value in (1, 3, 4) else None


def _misfit(key: str, kind: str, shape: Shape, attrs: Attrs) -> str:
    if key == "folder":
        return "" if kind == "class" else "the folder of an image is a class: target y: class[n]"
    if kind != "real" or len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3, 4)):
        return "an image has the shape [height, width, channels], with 1, 3 or 4 channels"
    size, channels = list(shape[:2]), (*shape, 1)[2]
    for name, given, declared in (("size", attrs["size"], size), ("channels", attrs["channels"], channels)):
        if given is not None and (list(given) if name == "size" else given) != declared:
            shown = list(given) if name == "size" else given
            return f"the {name} of an image is declared {declared}, and given {shown}"
    return ""


def _command(path: str, shape: Shape, like: str) -> str:
    if like:
        return f"dotnn data {path} -o {path}.npz --like {like}"
    height, width, channels = (*shape, 1)[:3]
    return f"dotnn data {path} -o {path}.npz --size {height} {width} --channels {channels}"


IMAGES = DataSource(
    "images",
    "A folder with a sub-folder of images for each class, whose names in sorted order are the classes: `image` holds 0 "
    "to 255, brought to the declared shape, `folder` the class. Needs Pillow (`dotnn[data]`); scripts read the `.npz` "
    "that `dotnn data` makes of the folder.",
    reader="labelled_file.read_labelled",
    file="a folder of images",
    ending="",
    form='images("folder", x = image, y = folder)',
    plain="np.load(path)",
    args=(
        Arg("size", Kind("a height and a width such as [28, 28]", _size), None, "height and width, as declared"),
        Arg("channels", Kind("1, 3 or 4", _channels), None, "1 grey, 3 RGB, 4 RGBA, as declared"),
    ),
    keys=("image", "folder"),
    misfit=_misfit,
    settled=lambda attrs, shapes: {},
    converted=_command,
)
