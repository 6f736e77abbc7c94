"""What Keras calls members that the script computes by their own formulas: losses, initialisers and schedules."""

from __future__ import annotations

from dotnn.targets.keras.rules.base import Note

MSE = Note("loss mse", "MeanSquaredError")
L1 = Note("loss l1", "MeanAbsoluteError")
HUBER = Note("loss huber", "Huber")
HINGE = Note("loss hinge", "Hinge")
BCE = Note("loss bce", "BinaryCrossentropy")
CROSS_ENTROPY = Note("loss cross_entropy", "CategoricalCrossentropy")

UNIFORM = Note("init uniform", "RandomUniform")
NORMAL = Note("init normal", "RandomNormal")
TRUNCATED_NORMAL = Note("init truncated_normal", "TruncatedNormal(stddev = sigma / 0.8796)")
CONSTANT = Note("init constant", "Constant")
ONES = Note("init ones", "Ones")
ZEROS = Note("init zeros", "Zeros")
FILE = Note("init file", "load_weights")
FORGET_ONE = Note("init forget_one", "LSTM(unit_forget_bias=True)")
XAVIER = Note("init xavier", "GlorotUniform; truncated: GlorotNormal")
XAVIER_IN = Note("init xavier_in", "LecunUniform; truncated: LecunNormal")
HE = Note("init he", "HeNormal is he(truncated), HeUniform he(uniform)")
ORTHOGONAL = Note("init orthogonal", "Orthogonal")
LSUV = Note("init lsuv", "none")

COSINE = Note("schedule cosine", "CosineDecay(0, steps - warmup, end / lr, lr, warmup)")
LINEAR = Note("schedule linear", "PolynomialDecay(lr, steps, end), which has no warm-up")
ONE_CYCLE = Note("schedule one_cycle", "none")
STEP = Note("schedule step", "ExponentialDecay(lr, every, factor, staircase=True)")
EXPONENTIAL = Note("schedule exponential", "ExponentialDecay(lr, every, rate)")
WARMUP = Note("schedule warmup", "none")
PLATEAU = Note("schedule plateau", "ReduceLROnPlateau")
CYCLIC = Note("schedule cyclic", "none")
RESTARTS = Note("schedule restarts", "CosineDecayRestarts(lr, every, t_mul=1, alpha=end / lr)")
POWER = Note("schedule power", "InverseTimeDecay(lr, over, 1), for power = 1")
POLYNOMIAL = Note("schedule polynomial", "PolynomialDecay(lr, steps, end, power), which has no warm-up")
RISE = Note("schedule rise", "none")
