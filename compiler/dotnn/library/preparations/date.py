"""Dates of an input as numbers, as `input day: date` declares them."""

from __future__ import annotations

from dotnn.library.preparations.base import Preparation

PLAIN = {
    "date_numbers": '''
def date_numbers(texts):
    """Return year, day of the year from 1, and weekday (Monday 0, Sunday 6) of dates like 2024-03-01."""
    days = np.asarray(texts).astype("U10").astype("datetime64[D]")
    years = days.astype("datetime64[Y]")
    weekdays = (days.astype(int) + 3) % 7  # day 0, 1970-01-01, was a Thursday
    parts = [years.astype(int) + 1970, (days - years).astype(int) + 1, weekdays]
    return np.stack(parts, axis=1).astype(float)
''',
}
DATE = Preparation(
    "date",
    "A date such as 2024-03-01, a time behind it left out, becomes three numbers: the year, the day of the year from 1 "
    "on, and the weekday, 0 for Monday to 6 for Sunday.",
    "declared",
    raw=lambda attrs, shape: "date",
    raw_shape=lambda shape: shape[:-1],
    apply=lambda attrs, shape: "date_numbers({values})",
    plain=PLAIN,
)
