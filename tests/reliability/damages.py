"""Ways to damage a file: cut, flipped and foreign bytes for any, and what a kind of file may lack or hold besides."""

import io
import json
import re
import struct
import zipfile
from collections.abc import Callable, Iterator

import numpy as np

LOCAL, CENTRAL = b"PK\3\4", b"PK\1\2"
FLAGS, METHOD, SIZE = (6, 8), (8, 10), (22, 24)
"""Where the two headers of a member of a zip file hold these."""


def of_bytes(content: bytes, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Damages of any file: every eighth of it missing, bits and stretches changed at random."""
    for part in range(8):
        yield f"cut after {part}/8", content[: len(content) * part // 8]
    yield "the last byte missing", content[:-1]
    yield "a byte more", content + b"x"
    yield "another file", b"hello, world\n"
    for _ in range(24):
        place, bit = int(rng.integers(len(content))), int(rng.integers(8))
        yield f"bit {bit} of byte {place} flipped", _with(content, place, bytes([content[place] ^ 1 << bit]))
    for _ in range(6):
        place = int(rng.integers(max(1, len(content) - 40)))
        yield f"40 zeros at byte {place}", _with(content, place, bytes(min(40, len(content) - place)))
    place = int(rng.integers(len(content)))
    yield f"a stretch missing at byte {place}", content[:place] + content[place + 20 :]
    yield f"a stretch twice at byte {place}", content[:place] + content[place : place + 50] + content[place:]


def _with(content: bytes, place: int, new: bytes) -> bytes:
    return content[:place] + new + content[place + len(new) :]


# ----------------------------------------------------------------------------------------------------------- .npz


def of_npz(content: bytes, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Damages of an .npz file: keys that are missing, twice, foreign; other contents, flags, sizes and methods."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
        comment = archive.comment
    for name, array in members.items():
        others = {n: m for n, m in members.items() if n != name}
        yield f"without {name}", zipped(others, comment)
        yield f"{name} twice", zipped(members, comment, [(name, array)])
        yield f"{name} called {name}x", zipped({**others, f"{name}x": array}, comment)
        yield f"{name} without its ending", zipped({**others, name.removesuffix(".npy"): array}, comment)
        for what, other in other_arrays(np.load(io.BytesIO(array))).items():
            yield f"{name} {what}", zipped({**others, name: other}, comment)
    yield "nothing in it", zipped({}, comment)
    yield "with a foreign file", zipped({**members, "notes.txt": b"mine"}, comment)
    yield "with a foreign array", zipped({**members, "foreign.npy": npy(np.zeros(3))}, comment)
    yield "compressed", zipped(members, comment, method=zipfile.ZIP_DEFLATED)
    yield "compressed otherwise", zipped(members, comment, method=zipfile.ZIP_BZIP2)
    yield "encrypted", patched(content, FLAGS, 1)
    yield "of an unknown method", patched(content, METHOD, 77)
    yield "a size that is not true", patched(content, SIZE, 0x7FF0, "<I")
    yield "of another model", zipped(members, b"model 0123456789abcdef") if comment else zipped({}, b"")


def other_arrays(array: np.ndarray) -> dict[str, bytes]:
    """What may stand in place of an array, by a word for it."""
    head = npy(array)[: npy(array).index(b"\n") + 1]
    return {
        "of text": npy(np.array(["a", "b"])),
        "of objects": npy(np.array([{}, 1], dtype=object)),
        "of complex numbers": npy(array.astype(complex)),
        "of integers": npy(np.zeros(array.shape, np.int32)),
        "of another shape": npy(np.zeros((*array.shape, 2))),
        "without its numbers": head,
        "with a huge shape": head.replace(b"'shape': (", b"'shape': (1000000000000, ") + b"\0" * 8,
        "with a negative shape": head.replace(b"'shape': (", b"'shape': (-1, "),
        "as a word": b"hello",
        "as nothing": b"",
    }


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    return file.getvalue()


def zipped(members: dict[str, bytes], comment: bytes, more=(), method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in [*members.items(), *more]:
            if name in archive.namelist():  # zipfile would warn
                archive.NameToInfo.pop(name)
            archive.writestr(name, content)
        archive.comment = comment
    return file.getvalue()


def patched(content: bytes, places: tuple[int, int], value: int, form: str = "<H") -> bytes:
    """A zip file with one field of all headers changed."""
    changed = bytearray(content)
    for mark, at in zip((LOCAL, CENTRAL), places, strict=True):
        for found in re.finditer(re.escape(mark), content):
            if found.start() + at + struct.calcsize(form) <= len(changed):
                struct.pack_into(form, changed, found.start() + at, value)
    return bytes(changed)


# ----------------------------------------------------------------------------------------------------- other files


def of_json(content: bytes, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Damages of a JSON file: other values, keys that are missing or of other types, digits that are others."""
    for text in ("", "[]", "{}", "null", "3", '"text"', "[" * 100_000, '{"a": 1}', "NaN"):
        yield f"reads {text[:10]!r}", text.encode()
    table = json.loads(content)
    for key in table:
        yield f"without {key}", json.dumps({k: v for k, v in table.items() if k != key}).encode()
        for other in (None, 3, "text", [], {}, [[]], {"shift": "a", "scale": 1}, -1e308, True):
            yield f"{key} = {other!r}", json.dumps({**table, key: other}).encode()
    digits = [m.start() for m in re.finditer(rb"\d", content)]
    for place in rng.choice(digits, min(len(digits), 10), replace=False) if digits else []:
        new = str((int(content[place : place + 1]) + 5) % 10).encode()
        yield f"another digit at byte {place}", _with(content, int(place), new)


def of_script(content: bytes, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Damages of a script: it holds nothing, something else, fails, or computes something else."""
    yield "empty", b""
    yield "another program", b"print('hello')\n"
    yield "fails", content.replace(b"import numpy as np", b"import numpy as np\nraise ValueError('broken')", 1)
    yield "without predict", content.replace(b"def predict(", b"def forecast(", 1)
    yield (
        "fails when it predicts",
        content.replace(b"def predict(", b"def predict(a, b, c=0):\n    1 / 0\n\n\ndef f(", 1),
    )
    yield "computes something else", content.replace(b"np.tanh(", b"np.sin(")


OF_KIND: dict[str, Callable[[bytes, np.random.Generator], Iterator[tuple[str, bytes]]]] = {
    ".npz": of_npz,
    ".json": of_json,
    ".py": of_script,
}


def damages(name: str, content: bytes, rng: np.random.Generator) -> list[tuple[str, bytes]]:
    """All damages of a file that change it, each with a word for it."""
    kind = OF_KIND.get(name[name.rindex(".") :])
    found = [*of_bytes(content, rng), *(kind(content, rng) if kind else ())]
    return [(what, damaged) for what, damaged in found if damaged != content]
