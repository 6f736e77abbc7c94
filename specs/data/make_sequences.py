"""Writes the sequences of this folder: sunspots, letters of a poem, number words, sums of bits; see README.md.

It needs NumPy only, and gives the same bytes every time.
"""

from pathlib import Path

import numpy as np
from make_data import write_csv, write_npz

HERE = Path(__file__).parent

FIRST_YEAR, LAST_OF_TRAINING = 1700, 1920
# Yearly sunspot numbers, 1700 to 1988.
SUNSPOTS = """
5 11 16 23 36 58 29 20 10 8 3 0 0 2 11 27 47 63 60 39 28 26 22 11 21 40 78 122 103 73 47 35 11 5 16 34 70 81 111 101
73 40 20 16 5 11 22 40 60 80.9 83.4 47.7 47.8 30.7 12.2 9.6 10.2 32.4 47.6 54 62.9 85.9 61.2 45.1 36.4 20.9 11.4 37.8
69.8 106.1 100.8 81.6 66.5 34.8 30.6 7 19.8 92.5 154.4 125.9 84.8 68.1 38.5 22.8 10.2 24.1 82.9 132 130.9 118.1 89.9
66.6 60 46.9 41 21.3 16 6.4 4.1 6.8 14.5 34 45 43.1 47.5 42.2 28.1 10.1 8.1 2.5 0 1.4 5 12.2 13.9 35.4 45.8 41.1 30.1
23.9 15.6 6.6 4 1.8 8.5 16.6 36.3 49.6 64.2 67 70.9 47.8 27.5 8.5 13.2 56.9 121.5 138.3 103.2 85.7 64.6 36.7 24.2 10.7
15 40.1 61.5 98.5 124.7 96.3 66.6 64.5 54.1 39 20.6 6.7 4.3 22.7 54.8 93.8 95.8 77.2 59.1 44 47 30.5 16.3 7.3 37.6 74
139 111.2 101.6 66.2 44.7 17 11.3 12.4 3.4 6 32.3 54.3 59.7 63.7 63.5 52.2 25.4 13.1 6.8 6.3 7.1 35.6 73 85.1 78 64
41.8 26.2 26.7 12.1 9.5 2.7 5 24.4 42 63.5 53.8 62 48.5 43.9 18.6 5.7 3.6 1.4 9.6 47.4 57.1 103.9 80.6 63.6 37.6 26.1
14.2 5.8 16.7 44.3 63.9 69 77.8 64.9 35.7 21.2 11.1 5.7 8.7 36.1 79.7 114.4 109.6 88.8 67.8 47.5 30.6 16.3 9.6 33.2
92.6 151.6 136.3 134.7 83.9 69.4 31.5 13.9 4.4 38 141.7 190.2 184.8 159 112.3 53.9 37.5 27.9 10.2 15.1 47 93.8 105.9
105.5 104.5 66.6 68.9 38 34.5 15.5 12.6 27.5 92.5 155.4 154.7 140.5 115.9 66.6 45.9 17.9 13.4 29.2 100.2
"""

# Lewis Carroll, "Jabberwocky", in "Through the Looking-Glass, and What Alice Found There", 1871.
POEM = """
'Twas brillig, and the slithy toves
Did gyre and gimble in the wabe:
All mimsy were the borogoves,
And the mome raths outgrabe.

"Beware the Jabberwock, my son!
The jaws that bite, the claws that catch!
Beware the Jubjub bird, and shun
The frumious Bandersnatch!"

He took his vorpal sword in hand:
Long time the manxome foe he sought--
So rested he by the Tumtum tree,
And stood awhile in thought.

And, as in uffish thought he stood,
The Jabberwock, with eyes of flame,
Came whiffling through the tulgey wood,
And burbled as it came!

One, two! One, two! And through and through
The vorpal blade went snicker-snack!
He left it dead, and with its head
He went galumphing back.

"And hast thou slain the Jabberwock?
Come to my arms, my beamish boy!
O frabjous day! Callooh! Callay!"
He chortled in his joy.

'Twas brillig, and the slithy toves
Did gyre and gimble in the wabe:
All mimsy were the borogoves,
And the mome raths outgrabe.
"""
LETTERS = " abcdefghijklmnopqrstuvwxyz"


def make_sunspots(length: int = 12) -> None:
    """Windows of 12 years and the year after: `years` (n, 12, 1), `after` (n, 1); from 1921 on `later_…`."""
    numbers = np.array(SUNSPOTS.split(), dtype=float)
    write_csv("sunspots.csv", ["year", "sunspots"], [[FIRST_YEAR + i, n] for i, n in enumerate(numbers.tolist())])
    windows = np.lib.stride_tricks.sliding_window_view(numbers, length)[:-1, :, None].copy()
    after = numbers[length:, None]
    cut = LAST_OF_TRAINING + 1 - FIRST_YEAR - length
    arrays = {"years": windows[:cut], "after": after[:cut], "later_years": windows[cut:], "later_after": after[cut:]}
    write_npz("sunspots.npz", arrays)


def tokens(text: str) -> np.ndarray:
    """Return letters as numbers, 0 for anything that is none, which stands once between words."""
    words = "".join(c if c in LETTERS else " " for c in text.lower()).split()
    return np.array([LETTERS.index(c) for c in " ".join(words)])


def one_hot(numbers: np.ndarray) -> np.ndarray:
    return (numbers[..., None] == np.arange(len(LETTERS))).astype(np.uint8)


def make_poem(length: int = 12) -> None:
    """Windows of 12 letters, `before` (n, 12, 27), and the letter after each, `after` (n,), 0 for a blank."""
    letters = tokens(POEM)
    windows = np.lib.stride_tricks.sliding_window_view(letters, length)[:-1]
    write_npz("jabberwocky.npz", {"before": one_hot(windows), "after": letters[length:]})


UNITS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
EINER = "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn"
ZEHNER = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
UNITES = "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dixsept dixhuit"
DIZAINES = "vingt trente quarante cinquante soixante"


def english(n: int) -> str:
    units, tens = [*UNITS.split(), "eighteen", "nineteen"], TENS.split()
    return units[n - 1] if n < 20 else tens[n // 10 - 2] + (units[n % 10 - 1] if n % 10 else "")


def german(n: int) -> str:
    units, tens = [*EINER.split(), "achtzehn", "neunzehn"], ZEHNER.split()
    if n < 20 or n % 10 == 0:
        return units[n - 1] if n < 20 else tens[n // 10 - 2]
    return ("ein" if n % 10 == 1 else units[n % 10 - 1]) + "und" + tens[n // 10 - 2]


def french(n: int) -> str:
    units = [*UNITES.split(), "dixneuf"]
    if n < 20:
        return units[n - 1]
    if n < 70:
        ten, rest = DIZAINES.split()[n // 10 - 2], n % 10
    else:
        ten, rest = ("soixante", n - 60) if n < 80 else ("quatrevingt", n - 80)
    joint = "et" if rest in (1, 11) and n < 80 else ""
    return ten + ("s" if n == 80 else joint + units[rest - 1] if rest else "")


def number_words() -> tuple[list[str], np.ndarray]:
    """Return the numbers to 99 in English, German and French, and their letters as numbers, 0 where a word is over."""
    plain = str.maketrans({"ü": "ue", "ö": "oe", "ß": "ss"})
    words = [speak(n).translate(plain) for speak in (english, german, french) for n in range(1, 100)]
    longest = max(map(len, words))
    return words, np.array([[LETTERS.index(c) for c in word.ljust(longest)] for word in words])


def parts(word: str) -> list[int]:
    """Return of each letter whether it belongs to the units (0), to the tens (1), or to the `und` or `et` between."""
    tens = f"quatrevingts quatrevingt {TENS} {ZEHNER.replace('ß', 'ss').replace('ü', 'ue')} {DIZAINES}".split()
    ten = next((ten for ten in tens if ten in word), "")
    before, behind = word.split(ten) if ten else (word, "")
    joints = [2 if ten and before.endswith("und") and i >= len(before) - 3 else 0 for i in range(len(before))]
    return joints + [1] * len(ten) + [2 if behind.startswith("et") and i < 2 else 0 for i in range(len(behind))]


def make_number_parts() -> None:
    """The same words with the part of each letter: `tokens` (297, 19), `parts` (297, 19), 0 where a word is over."""
    words, numbers = number_words()
    tags = np.array([[*parts(word), *[0] * (numbers.shape[1] - len(word))] for word in words])
    write_npz("number_parts.npz", {"tokens": numbers, "parts": tags})


def make_number_words() -> None:
    """The numbers to 99 in English (0), German (1) and French (2), one letter a step, filled up with blanks behind.

    `letters` (297, 19, 27) and `tokens` (297, 19), 0 where a word is over; `language` (297,).
    """
    _, numbers = number_words()
    letters = one_hot(numbers)
    write_npz("number_words.npz", {"letters": letters, "tokens": numbers, "language": np.repeat([0, 1, 2], 99)})


HUNDREDS = 1000


def in_words(n: int) -> list[str]:
    """Return a number below 1000 as English words: 342 is three hundred forty two."""
    hundreds, rest = divmod(n, 100)
    units, tens = [*UNITS.split(), "eighteen", "nineteen"], TENS.split()
    found = [units[hundreds - 1], "hundred"] if hundreds else []
    if rest >= 20:
        found.append(tens[rest // 10 - 2])
        rest %= 10
    return [*found, *([units[rest - 1]] if rest else [])]


def make_number_names(count: int = 300) -> None:
    """A text of numbers from 1 to 999 in English words, 300 of them in an order by chance, one a line."""
    drawn = np.random.default_rng(0).permutation(np.arange(1, HUNDREDS))[:count]
    text = "".join(" ".join(in_words(n)) + "\n" for n in drawn)
    (HERE / "number_names.txt").write_text(text, encoding="utf-8", newline="\n")


def make_translation(length: int = 5) -> None:
    """All numbers from 1 to 999 as three digits, and as English words, each filled up with 0 for the end.

    `digits` (999, 3); `words` (999, 5), places in the sorted vocabulary from 1 on; `before` (999, 5), the words one
    step later, with 0 at the beginning.
    """
    said = [in_words(n) for n in range(1, HUNDREDS)]
    known = ["", *sorted({word for words in said for word in words})]
    words = np.array([[known.index(w) for w in [*some, *[""] * (length - len(some))]] for some in said])
    before = np.concatenate([np.zeros((len(words), 1), int), words[:, :-1]], axis=1)
    digits = np.array([[n // 100, n // 10 % 10, n % 10] for n in range(1, HUNDREDS)])
    write_npz("translation.npz", {"digits": digits, "before": before, "words": words})


def make_sums(bits: int = 6) -> None:
    """All sums of two numbers of 5 bits, the lowest bit first: `terms` (1024, 6, 2) and `sum` (1024, 6, 1)."""
    a, b = np.divmod(np.arange(4 ** (bits - 1)), 2 ** (bits - 1))
    as_bits = [(n[:, None] >> np.arange(bits) & 1).astype(np.uint8) for n in (a, b, a + b)]
    write_npz("sums.npz", {"terms": np.stack(as_bits[:2], axis=-1), "sum": as_bits[2][..., None]})


if __name__ == "__main__":
    make_sunspots()
    make_poem()
    make_number_words()
    make_number_parts()
    make_sums()
    make_number_names()
    make_translation()
