"""The curve of a training run as a picture. matplotlib is optional and imported only when a picture is drawn."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NO_MATPLOTLIB = "no picture of the loss: matplotlib is not installed (pip install 'dotnn[plot]')"
CURVES = {"loss": "training", "val_loss": "validation"}


def loss_png(history: Sequence[Mapping[str, float]], title: str = "") -> bytes | None:
    """Draw `loss` and, where there is one, `val_loss` of every epoch; return the PNG, None without matplotlib.

    `history` is what `train` returns. The least validation loss (else loss) is marked. The loss axis is logarithmic
    where all losses are positive and span more than a factor of 30. Same history, same bytes.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    # No pyplot: it would choose a backend and keep state for the whole process.
    figure = Figure(figsize=(7, 4.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    curves = {label: _series(history, key) for key, label in CURVES.items()}
    curves = {label: curve for label, curve in curves.items() if np.isfinite(curve).any()}
    epochs = np.arange(1, len(history) + 1)
    for label, curve in curves.items():
        axes.plot(epochs, curve, label=label, linewidth=1.6)
    if curves:
        _mark_best(axes, epochs, list(curves.values())[-1])
        everything = np.concatenate(list(curves.values()))
        finite = everything[np.isfinite(everything)]
        if finite.min() > 0 and finite.max() > 30 * finite.min():
            axes.set_yscale("log")
        axes.legend(frameon=False)
    axes.set(xlabel="epoch", ylabel="loss", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _series(history: Sequence[Mapping[str, float]], key: str) -> np.ndarray:
    """Return one value per epoch, NaN where a record has none or it is not finite (a gap in the curve)."""
    values = np.array([np.nan if record.get(key) is None else float(record[key]) for record in history])
    return np.where(np.isfinite(values), values, np.nan)


def _mark_best(axes: Axes, epochs: np.ndarray, curve: np.ndarray) -> None:
    best = int(np.nanargmin(curve))
    label = f"best: {curve[best]:.4g} in epoch {epochs[best]}"
    axes.plot(epochs[best], curve[best], "o", color="black", markersize=5, label=label)
