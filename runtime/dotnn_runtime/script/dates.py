"""Dates as numbers."""

import datetime
import re

import numpy as np

from dotnn_runtime.script.errors import DataError


def date_numbers(texts: np.ndarray) -> np.ndarray:
    """Return the year, the day of the year from 1, and the weekday (Monday 0, Sunday 6) of dates, `(n, 3)`.

    `texts`, `(n,)`, read 2024-03-01, or have a time behind that. DataError for what is no date.
    """
    days = np.array([parse_date(str(text)) for text in texts], dtype="datetime64[D]")
    years = days.astype("datetime64[Y]")
    weekdays = (days.astype(int) + 3) % 7  # day 0, 1970-01-01, was a Thursday
    parts = [years.astype(int) + 1970, (days - years).astype(int) + 1, weekdays]
    return np.stack(parts, axis=1).astype(np.float64)


def parse_date(text: str) -> datetime.date:
    """Return the date that `text` begins with; DataError, a ValueError, where it is none."""
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d([T ].*)?", text, re.ASCII):
            return datetime.date.fromisoformat(text[:10])
    except ValueError:  # 2024-02-30
        pass
    raise DataError(f"{text!r} is no date such as 2024-03-01", help="write year, month and day")


def check_date(text: str) -> float:
    """Return 0 for a date; ValueError for anything else."""
    parse_date(text)
    return 0.0
