"""What other libraries call the things of the language, for "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable

from dotnn.core.diagnostics import did_you_mean

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "linear": ("dense", "identity"),
    "fc": ("dense",),
    "fully_connected": ("dense",),
    "conv": ("conv2d",),
    "cnn": ("conv2d",),
    "convolution": ("conv2d",),
    "conv_transpose": ("conv2d_transpose",),
    "deconv": ("conv2d_transpose",),
    "batch_norm": ("batchnorm",),
    "batch_normalization": ("batchnorm",),
    "bn": ("batchnorm",),
    "layer_norm": ("layernorm",),
    "layer_normalization": ("layernorm",),
    "max_pool": ("maxpool",),
    "max_pooling": ("maxpool",),
    "max_pool2d": ("maxpool",),
    "max_pooling2d": ("maxpool",),
    "avg_pool": ("avgpool",),
    "average_pooling": ("avgpool",),
    "avg_pool2d": ("avgpool",),
    "global_max_pooling": ("maxpool_global",),
    "global_average_pooling": ("avgpool_global",),
    "zero_padding": ("zeropad",),
    "up_sampling": ("upsample",),
    "simple_rnn": ("rnn",),
    "recurrent": ("rnn",),
    "detach": ("stop_gradient",),
    "add": ("sum",),
    "concatenate": ("concat",),
    "cat": ("concat",),
    "maximum": ("max",),
    "mul": ("multiply",),
    "logistic": ("sigmoid",),
    "swish": ("silu",),
    "step": ("threshold",),
    "heaviside": ("threshold",),
    "crossentropy": ("cross_entropy",),
    "nll": ("cross_entropy",),
    "categorical_crossentropy": ("cross_entropy",),
    "sparse_categorical_crossentropy": ("cross_entropy",),
    "binary_crossentropy": ("bce",),
    "bce_with_logits": ("bce",),
    "mean_squared_error": ("mse",),
    "mean_absolute_error": ("l1", "mae"),
    "mae": ("l1",),
    "momentum": ("sgd",),
    "gd": ("sgd",),
    "learning_rate": ("lr",),
    "eta": ("lr",),
    "alpha": ("lr",),
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
    "reduce_lr_on_plateau": ("plateau",),
    "cyclic_lr": ("cyclic",),
    "triangular": ("cyclic",),
    "cosine_decay_restarts": ("restarts",),
    "cosine_annealing_warm_restarts": ("restarts",),
    "sgdr": ("restarts",),
    "polynomial_decay": ("polynomial",),
    "poly": ("polynomial",),
    "inverse_time_decay": ("power",),
    "step_lr": ("step",),
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
"""What others say, and what it may be here; underscores count for nothing."""

_PLAIN = {word.replace("_", ""): candidates for word, candidates in OTHER_NAMES.items()}


def suggest(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "dense"?` for a word of another library or a misspelt one, else what is known here."""
    names = list(known)
    for candidate in _PLAIN.get(word.lower().replace("_", ""), ()):
        if candidate in names:
            return f'did you mean "{candidate}"?'
    return did_you_mean(word, names)
