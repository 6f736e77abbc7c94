"""Writes the image files of this folder: digits as IDX, shapes as a folder of PNG; see README.md.

It needs NumPy only, and gives the same bytes every time: the PNG files are not compressed.
"""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
LAST_OF_TRAINING = 1347
SIZE = 16


def write_idx(name: str, array: np.ndarray) -> None:
    """Write bytes in the IDX format, packed by gzip."""
    head = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}i", *array.shape)
    (HERE / name).write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes(), mtime=0))


def make_digits() -> None:
    """Write the digits of digits.npz, grey values 0…255, in the order in which they were written down."""
    with np.load(HERE / "digits.npz") as file:
        images, labels = np.minimum(16 * file["images"][..., 0].astype(int), 255), file["label"]
    for part, rows in {"train": slice(LAST_OF_TRAINING), "test": slice(LAST_OF_TRAINING, None)}.items():
        write_idx(f"digits-{part}-images-idx3-ubyte.gz", images[rows])
        write_idx(f"digits-{part}-labels-idx1-ubyte.gz", labels[rows])


def write_png(path: Path, image: np.ndarray) -> None:
    """Write a grey image."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    lines = np.hstack([np.zeros((len(image), 1), np.uint8), image])
    head = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 8, 0, 0, 0, 0)
    chunks = {b"IHDR": head, b"IDAT": zlib.compress(lines.tobytes(), 0), b"IEND": b""}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*pair) for pair in chunks.items()))


def draw(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Return the outline of a shape of some size at some place, on a noisy ground."""
    row, column = np.mgrid[:SIZE, :SIZE] - rng.uniform(6, SIZE - 7, (2, 1, 1))
    radius, angle = rng.uniform(3, 5.5), rng.uniform(0, 2 * np.pi)
    x, y = np.cos(angle) * row + np.sin(angle) * column, np.cos(angle) * column - np.sin(angle) * row
    distance = {
        "circle": np.hypot(x, y) - radius,
        "square": np.maximum(abs(x), abs(y)) - 0.85 * radius,
        "triangle": np.maximum(abs(x) * 0.866 + y * 0.5, -y) - 0.6 * radius,
    }[kind]
    ink = np.exp(-((distance / rng.uniform(0.5, 0.8)) ** 2))
    return np.clip(40 + 160 * ink + rng.normal(0, 12, ink.shape), 0, 255).astype(np.uint8)


def make_shapes() -> None:
    """Write 20 images of each shape to learn from, and 10 that were drawn later."""
    rng = np.random.default_rng(7)
    for folder, count in {"shapes": 20, "shapes_later": 10}.items():
        for kind in ("circle", "square", "triangle"):
            for i in range(count):
                write_png(HERE / folder / kind / f"{i:02}.png", draw(kind, rng))


if __name__ == "__main__":
    make_digits()
    make_shapes()
