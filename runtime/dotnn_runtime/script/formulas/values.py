"""What leaves the numbers of a value as they are."""

import numpy as np


def dtype_of(params):
    """The precision in which the network computes."""
    return next(iter(params.values())).dtype if params else np.dtype(float)


def stop_gradient(v):
    """v, as a constant: an imaginary part, which carries a derivative in a complex step, is dropped."""
    return v.real
