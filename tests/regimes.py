"""Sample training regimes: a call of every optimizer, schedule, clip, constraint, penalty and initialiser."""

from dotnn.library.clips import CLIPS
from dotnn.library.constraints import CONSTRAINTS
from dotnn.library.inits import INITS
from dotnn.library.optimizers import OPTIMIZERS
from dotnn.library.penalties import PENALTIES
from dotnn.library.schedules import SCHEDULES

OPTIMIZER_CALLS = [
    *(f"{name}(0.02)" for name in OPTIMIZERS),
    "sgd(0.1, momentum = 0.9)",
    "sgd(0.1, momentum = 0.9, nesterov = true)",
    "adam(0.02, beta1 = 0)",
    "rmsprop(0.02, rho = 0.5, epsilon = 1e-3)",
]
SCHEDULE_CALLS = {
    "cosine": ["cosine(0.1, warmup = 10)"],
    "linear": ["linear(0.1, epochs(1), 0.01)"],
    "one_cycle": ["one_cycle(0.2)"],
    "step": ["step(0.1, every = 7)"],
    "exponential": ["exponential(0.1, rate = 0.5, every = 25%)"],
    "warmup": ["warmup(0.1, over = 30)"],
    "cyclic": ["cyclic(0.1, 0.01, every = 7, factor = 0.5)"],
    "restarts": ["restarts(0.1, every = epochs(2), end = 0.02)"],
    "power": ["power(0.1, over = 20)"],
    "polynomial": ["polynomial(0.1, power = 1.5, warmup = 5)"],
    "rise": ["rise(0.05, patience = 1, min_delta = 9, most = 0.3)"],
    "plateau": ["plateau(0.1, patience = 2, min_delta = 9)", "plateau(0.1, mae, factor = 0.5, patience = 1)"],
}
CONSTRAINT_CALLS = {"max_norm": "max_norm(0.8)", "bounds": "bounds(-0.3, 0.2)"}
INIT_CALLS = {"constant": "constant(0.1)"}
"""Sample calls; a member of a registry that needs one and has none fails its tests, and so cannot be forgotten."""
REGIMES = [
    *(f"optim = sgd({call})" for name in SCHEDULES for call in SCHEDULE_CALLS[name]),
    *(f"optim = adam({call})  batch = all" for call in SCHEDULE_CALLS["plateau"] + SCHEDULE_CALLS["rise"]),
    *(f"optim = sgd(0.1, momentum = 0.9)  clip = {name}(0.05)" for name in CLIPS),
    *(f"optim = sgd(0.1)  constraint = {CONSTRAINT_CALLS[name]}" for name in CONSTRAINTS),
    *(f"optim = sgd(0.1)  decay = {name}(0.02)" for name in PENALTIES),
    *(f"optim = sgd(0.1)  init = {INIT_CALLS.get(name, name)}" for name in INITS if name != "file"),
]
