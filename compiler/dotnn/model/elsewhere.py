"""What other libraries call the things of the language, for "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable

from dotnn.diagnostics import did_you_mean

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "linear": ("dense", "identity"),
    "fc": ("dense",),
    "fully_connected": ("dense",),
    "conv": ("conv2d",),
    "cnn": ("conv2d",),
    "batchnorm": ("batch_norm",),
    "maxpool": ("max_pool",),
    "rnn": ("simple_rnn",),
    "add": ("sum",),
    "concatenate": ("concat",),
    "cat": ("concat",),
    "maximum": ("max",),
    "logistic": ("sigmoid",),
    "swish": ("silu",),
    "step": ("threshold",),
    "heaviside": ("threshold",),
    "crossentropy": ("cross_entropy",),
    "nll": ("cross_entropy",),
    "categorical_crossentropy": ("cross_entropy",),
    "sparse_categorical_crossentropy": ("cross_entropy",),
    "binary_crossentropy": ("bce",),
    "bcewithlogits": ("bce",),
    "mean_squared_error": ("mse",),
    "mean_absolute_error": ("l1", "mae"),
    "mae": ("l1",),
    "momentum": ("sgd",),
    "gd": ("sgd",),
    "learning_rate": ("lr",),
    "eta": ("lr",),
    "alpha": ("lr", "alpha"),
    "activation": ("act",),
    "use_bias": ("bias",),
    "batch_size": ("batch",),
    "optimizer": ("optim",),
    "p": ("rate",),
    "glorot": ("xavier",),
    "kaiming": ("he",),
    "gaussian": ("normal",),
    "random": ("uniform",),
    "acc": ("accuracy",),
    "weight_decay": ("decay",),
    "normalize": ("standard",),
    "minmax": ("range",),
    "cosine_decay": ("cosine",),
    "cosine_annealing": ("cosine",),
    "onecycle": ("one_cycle",),
    "reduce_lr_on_plateau": ("plateau",),
    "steplr": ("step",),
    "clipnorm": ("norm",),
    "global_clipnorm": ("global_norm",),
    "clipvalue": ("value",),
    "nonneg": ("bounds",),
    "unit_norm": ("max_norm",),
    "yes": ("true",),
    "on": ("true",),
    "no": ("false",),
    "off": ("false",),
}


def suggest(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "dense"?` for a word of another library or a misspelt one, else what is known here."""
    names = list(known)
    plain = word.lower()
    for candidate in OTHER_NAMES.get(plain, ()) + OTHER_NAMES.get(plain.replace("_", ""), ()):
        if candidate in names:
            return f'did you mean "{candidate}"?'
    return did_you_mean(word, names)
