"""Images changed at random: what was drawn is given, one row for each image `(n, rows, columns, …)`.

Nothing lies outside of an image: what comes in from there is 0.
"""

import numpy as np


def per_image(values: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return one value for each image as it goes with all numbers of the image."""
    each: np.ndarray = values.reshape(len(images), *[1] * (images.ndim - 1)).astype(images.dtype)
    return each


def moved_images(images: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return images moved by whole steps (n, 2), down and to the right."""
    border = int(np.abs(steps).max(initial=0))
    beyond = [(0, 0), (border, border), (border, border)] + [(0, 0)] * (images.ndim - 3)
    rows, columns = (np.arange(images.shape[1 + i]) + border - steps[:, i, None] for i in (0, 1))
    each = np.arange(len(images))[:, None, None]
    made: np.ndarray = np.pad(images, beyond)[each, rows[:, :, None], columns[:, None, :]]
    return made


def images_through(
    images: np.ndarray, matrices: np.ndarray, moves: np.ndarray, piece: int = 256
) -> np.ndarray:
    """Return images that show at the place p, counted from their centre, what was at matrix @ p + move.

    Between four elements that is their bilinear mean. So many images are computed at a time.
    """
    size = np.array(images.shape[1:3])
    places = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1) - (size - 1) / 2
    beyond = [(0, 0), (1, 1), (1, 1)] + [(0, 0)] * (images.ndim - 3)
    made = np.empty_like(images)
    for start in range(0, len(images), piece):
        some = slice(start, start + piece)
        seen = places @ matrices[some, None].swapaxes(-1, -2) + moves[some, None, None] + (size + 1) / 2
        seen = np.clip(seen, 0, size + 1)  # in images with a border of zeros
        low = np.minimum(seen.astype(int), size)
        high = (seen - low).reshape(*seen.shape[:3], 2, *[1] * (images.ndim - 3)).astype(images.dtype)
        share = (1 - high, high)
        bordered, each = np.pad(images[some], beyond), np.arange(len(seen))[:, None, None]
        made[some] = sum(
            share[i][:, :, :, 0] * share[j][:, :, :, 1] * bordered[each, low[..., 0] + i, low[..., 1] + j]
            for i, j in np.ndindex(2, 2)
        )
    return made


def turned_images(images: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Return images turned about their centre, to the left where the angle is positive."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrices = np.stack([cos, sin, -sin, cos], axis=-1).reshape(-1, 2, 2)
    return images_through(images, matrices, np.zeros((len(images), 2)))


def resized_images(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return images enlarged about their centre, or made smaller where the factor is below 1."""
    return images_through(images, np.eye(2) / factors[:, None, None], np.zeros((len(images), 2)))


def image_parts(images: np.ndarray, shares: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Return parts of images, brought to their size: of each side a share; corners from (0, 0) to (1, 1)."""
    room = (1 - shares[:, None]) * (np.array(images.shape[1:3]) - 1)
    return images_through(images, np.eye(2) * shares[:, None, None], (corners - 0.5) * room)


def mirrored_images(images: np.ndarray, which: np.ndarray, axis: int) -> np.ndarray:
    """Return images of which some are mirrored along an axis: 1 swaps top and bottom, 2 left and right."""
    return np.where(per_image(which, images) != 0, np.flip(images, axis), images)


def without_squares(images: np.ndarray, centres: np.ndarray, size: int) -> np.ndarray:
    """Return images with a square of zeros in each, of which a part may lie outside."""
    first = centres - size // 2
    rows, columns = (np.arange(images.shape[1 + i]) - first[:, i, None] for i in (0, 1))
    hidden = ((rows >= 0) & (rows < size))[:, :, None] & ((columns >= 0) & (columns < size))[:, None, :]
    return np.where(hidden.reshape(*hidden.shape, *[1] * (images.ndim - 3)), images.dtype.type(0), images)


def plus_noise(values: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Return numbers with Gaussian noise."""
    noisy: np.ndarray = values + rng.normal(0, deviation, values.shape).astype(values.dtype)
    return noisy


def mixed_examples(values: np.ndarray, shares: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return examples mixed with others: a share of each, and the rest of the other one."""
    share = per_image(shares, values)
    made: np.ndarray = share * values + (1 - share) * values[others]
    return made
