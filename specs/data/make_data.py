"""Writes the data files of this folder; see README.md for their sources. Run it with scikit-learn installed.

The same scikit-learn data give the same bytes: no times are stored.
"""

import csv
import gzip
import zipfile
from itertools import combinations
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris

HERE = Path(__file__).parent

POWER_PLANT_HEADER = ["ambient_temperature", "relative_humidity", "electrical_output"]
POWER_PLANT = [[3.21, 86.34, 491.35], [31.41, 68.5, 430.37], [19.31, 30.59, 463.0], [20.64, 99.97, 447.14]]
POWER_PLANT_SCALED = [[0.04, 0.81, 0.94], [0.84, 0.58, 0.13], [0.5, 0.07, 0.57], [0.53, 1.0, 0.36]]

# A row per unit, [bias, weight from the first input, …], as the lecture prints them.
POWER_PLANT_UNITS = {
    "hidden1": [[0.1, -0.2, 0.11], [-0.19, 0.09, -0.13], [0.04, 0.11, -0.02]],
    "hidden2": [[0.15, -0.04, 0.1, 0.06], [0.12, 0.2, 0.14, -0.09]],
    "y": [[0.1, 0.12, -0.5]],
}


def write_csv(name: str, header: list[str], rows: list[list[object]]) -> None:
    """Write a table; floats are written so that they read back exactly."""
    with (HERE / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_npz(name: str, arrays: dict[str, np.ndarray]) -> None:
    """Write a compressed .npz file without times (numpy.savez stores the time of the call)."""
    with zipfile.ZipFile(HERE / name, "w") as archive:
        for key, array in arrays.items():
            info = zipfile.ZipInfo(f"{key}.npy")
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def make_digits() -> None:
    """1,797 handwritten digits, grey values 0…16: `images` (1797, 8, 8, 1) uint8 and `label` (1797,) int64."""
    digits = load_digits()
    images = digits.images.astype(np.uint8)[..., np.newaxis]
    write_npz("digits.npz", {"images": images, "label": digits.target.astype(np.int64)})


def make_gaussians() -> None:
    """1,024 points around the four corners of a square, with a standard deviation of 0.1: `x` (1024, 2) float32."""
    rng = np.random.default_rng(8)
    angles = np.pi * (2 * rng.integers(4, size=1024) + 1) / 4
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1) + 0.1 * rng.standard_normal((1024, 2))
    write_npz("gaussians.npz", {"x": x.astype(np.float32)})


def make_iris() -> None:
    """150 flowers of three species, lengths and widths in cm."""
    iris = load_iris()
    header = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    species = [str(iris.target_names[label]) for label in iris.target]
    write_csv("iris.csv", header, [[*row, name] for row, name in zip(iris.data.tolist(), species, strict=True)])


def make_iris_encoder() -> None:
    """The first two principal components of the standardised measures, as the weights of a layer."""
    measures = load_iris().data
    _, _, components = np.linalg.svd((measures - measures.mean(0)) / measures.std(0), full_matrices=False)
    upright = components[:2] * np.sign(components[:2, :1])
    write_npz("iris_encoder.npz", {"encode.W": upright.T.round(6), "encode.b": np.zeros(2)})


def make_breast_cancer() -> None:
    """569 tumours, 30 measures of the cell nuclei of each; `benign` is 1 for benign and 0 for malignant."""
    cancer = load_breast_cancer()
    header = [name.replace(" ", "_") for name in cancer.feature_names.tolist()]
    rows = [[*row, label] for row, label in zip(cancer.data.tolist(), cancer.target.tolist(), strict=True)]
    write_csv("breast_cancer.csv", [*header, "benign"], rows)


def make_diabetes() -> None:
    """442 patients, ten measures in their own units, and the progression of the disease after a year."""
    diabetes = load_diabetes(scaled=False)
    header = ["age", "sex", "bmi", "blood_pressure", "tc", "ldl", "hdl", "tch", "ltg", "glucose"]
    rows = [[*row, target] for row, target in zip(diabetes.data.tolist(), diabetes.target.tolist(), strict=True)]
    write_csv("diabetes.csv", [*header, "progression"], rows)


def make_passengers() -> None:
    """600 passengers of a ship that sank, made up: some ages, decks and fares are not known.

    Women, children and the upper decks survive more often, by a logistic model that is not linear in age.
    """
    rng = np.random.default_rng(1912)
    rows = []
    for _ in range(600):
        sex = ("female", "male")[int(rng.random() < 0.62)]
        deck = ("upper", "middle", "lower")[int(rng.choice(3, p=[0.25, 0.25, 0.5]))]
        age = float(np.clip(rng.normal(30, 14), 1, 80))
        relatives = int(rng.poisson(0.8))
        fare = float(np.exp(rng.normal({"upper": 4.2, "middle": 2.9, "lower": 2.3}[deck], 0.5)))
        score = 2.6 * (sex == "female") + 2.2 * (age < 14) - 0.4 * relatives
        score += {"upper": 0.4, "middle": -0.8, "lower": -1.8}[deck]
        known = rng.random(3) > [0.2, 0.1, 0.02]
        cells = [round(age), deck, round(fare, 2)]
        age_, deck_, fare_ = (cell if there else "" for cell, there in zip(cells, known, strict=True))
        survived = int(rng.random() < 1 / (1 + np.exp(-score)))
        rows.append([survived, sex, age_, relatives, deck_, fare_])
    write_csv("passengers.csv", ["survived", "sex", "age", "relatives", "deck", "fare"], rows)


def make_survey() -> None:
    """800 answers to a survey, made up: who is older and went to school for longer answers more often.

    `weight` is how many people of the land an answer stands for, `high_income` 1 or 0.
    """
    rng = np.random.default_rng(1936)
    rows: list[list[object]] = []
    while len(rows) < 800:
        age, schooling = int(rng.integers(18, 80)), int(np.clip(rng.normal(11, 3), 4, 20))
        hours = int(np.clip(rng.normal(42 if age < 65 else 15, 10), 0, 80))
        answers = 1 / (1 + np.exp(-0.05 * (age - 55) - 0.4 * (schooling - 13)))
        if rng.random() < answers:
            score = 0.5 * (schooling - 13) + 0.06 * (hours - 40) + 0.03 * (age - 45) - 0.3
            rows.append([age, schooling, hours, round(1 / answers, 3), int(rng.random() < 1 / (1 + np.exp(-score)))])
    write_csv("survey.csv", ["age", "schooling", "hours", "weight", "high_income"], rows)


def make_shops() -> None:
    """What sixteen ice cream shops sold on each of 150 days, made up; the rows of all shops lie by day.

    With semicolons, decimal commas and gaps, packed. `warmth` is the day's temperature in °C, `sales` in litres.
    """
    rng = np.random.default_rng(1903)
    shops = [f"shop {letter}" for letter in "ABCDEFGHIJKLMNOP"]
    size, loves_weekends = rng.uniform(20, 60, len(shops)), rng.uniform(0.2, 0.6, len(shops))
    weather = np.zeros((150, len(shops)))
    for i in range(1, 150):  # each day's weather is much as that of the day before
        weather[i] = 0.8 * weather[i - 1] + 2 * rng.standard_normal(len(shops))
    lines = ["day;shop;warmth;sales"]
    for i, day in enumerate(np.arange("2025-04-07", "2025-09-04", dtype="datetime64[D]")):
        for k, shop in enumerate(shops):
            warmth = round(17 + 6 * np.sin(np.pi * i / 150) + weather[i, k], 1)
            busy = 1 + loves_weekends[k] * (i % 7 >= 5) + 0.05 * (warmth - 20)
            sales = round(size[k] * busy * np.exp(0.05 * rng.standard_normal()), 1)
            seen = "" if rng.random() < 0.01 else str(warmth).replace(".", ",")
            lines.append(f"{day};{shop};{seen};{str(sales).replace('.', ',')}")
    with gzip.GzipFile(HERE / "shops.csv.gz", "wb", mtime=0) as file:
        file.write("\n".join([*lines, ""]).encode())


def make_pumps() -> None:
    """Six readings of each of 3,000 pumps, `pumps_x.npy` (3000, 6) float32, and which of them failed within a week.

    `pumps_y.npy` (3000, 1) uint8: made up, one in twenty does.
    """
    rng = np.random.default_rng(1765)
    x = rng.standard_normal((3000, 6))
    score = 1.2 * x[:, 0] - 0.9 * x[:, 1] + 0.8 * x[:, 2] * (x[:, 2] > 0) - 4.4
    failed = rng.random(3000) < 1 / (1 + np.exp(-score))
    np.save(HERE / "pumps_x.npy", (50 + 10 * x).round(1).astype(np.float32))
    np.save(HERE / "pumps_y.npy", failed[:, None].astype(np.uint8))


def make_brackets() -> None:
    """All 252 rows of twelve brackets, six of each, that open first and close last; 132 of them are balanced.

    `tokens` (252, 12) uint8, 0 for an opening and 1 for a closing one; `balanced` (252,) uint8. In lexical order.
    """
    closing = [{11, *inner} for inner in combinations(range(1, 11), 5)]
    tokens = np.array([[int(i in places) for i in range(12)] for places in closing], dtype=np.uint8)
    depth = np.cumsum(1 - 2 * tokens.astype(int), axis=1)
    write_npz("brackets.npz", {"tokens": tokens, "balanced": (depth.min(axis=1) >= 0).astype(np.uint8)})


def make_load() -> None:
    """The electrical load of a town in each of 3,024 hours, in MW, made up.

    A day has a morning and an evening peak, a weekend is lower, and cold spells last for days: the first two repeat
    themselves, the third does not.
    """
    rng = np.random.default_rng(1882)
    hours = np.arange(18 * 168)
    of_day, weekend = 2 * np.pi * hours / 24, (hours // 24) % 7 > 4
    cold, noise = np.zeros(len(hours)), np.zeros(len(hours))
    for hour in range(1, len(hours)):
        cold[hour] = 0.985 * cold[hour - 1] + rng.normal(0, 0.9)
        noise[hour] = 0.6 * noise[hour - 1] + rng.normal(0, 0.7)
    load = 60 - 12 * np.cos(of_day) - 6 * np.cos(2 * of_day + 0.8) - 9 * weekend + cold + noise
    times = np.datetime64("2024-01-01T00") + hours
    write_csv("load.csv", ["hour", "load"], [[str(t), round(float(v), 1)] for t, v in zip(times, load, strict=True)])


def make_power_plant() -> None:
    """The worked example of the lecture: four examples, raw and scaled, and the weights it starts from."""
    write_csv("power_plant.csv", POWER_PLANT_HEADER, POWER_PLANT)
    write_csv("power_plant_scaled.csv", POWER_PLANT_HEADER, POWER_PLANT_SCALED)
    weights = {}
    for name, units in POWER_PLANT_UNITS.items():
        rows = np.array(units)
        weights[f"{name}.W"] = np.ascontiguousarray(rows[:, 1:].T)
        weights[f"{name}.b"] = rows[:, 0].copy()
    write_npz("power_plant_weights.npz", weights)


def make_four() -> None:
    """The lecture's 6 x 6 image of a 4, grey values 0…255, and what its two filters make of it.

    `image` (1, 6, 6, 1) uint8; `maps` (1, 6, 6, 2) int16: one filter prefers upright strokes, the other level ones.
    """
    image = np.zeros((6, 6), np.uint8)
    image[1:4, 1] = image[2:5, 3] = image[3, 1:5] = 255
    upright = np.array([[-1, 1, -1]] * 3)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image.astype(np.int16), 1), (3, 3))
    maps = np.stack([(windows * f).sum(axis=(2, 3)) for f in (upright, upright.T)], axis=-1)
    write_npz("four.npz", {"image": image[None, :, :, None], "maps": maps[None].astype(np.int16)})


if __name__ == "__main__":
    make_digits()
    make_iris()
    make_iris_encoder()
    make_breast_cancer()
    make_diabetes()
    make_passengers()
    make_gaussians()
    make_load()
    make_survey()
    make_shops()
    make_pumps()
    make_power_plant()
    make_four()
    make_brackets()
