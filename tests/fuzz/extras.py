"""What a random spec may have besides: frozen parts, weights and masks of examples, carried states, values drawn anew.

Each is an edit of the text that the compiler is asked about: one that it refuses, as a state that is carried where the
batches have no fixed size, is not made.
"""

import random
import re
from collections.abc import Callable

from dotnn.core.diagnostics import CompileError, Source
from dotnn.model.model import Model
from dotnn.model.resolve import resolve
from dotnn.syntax.parse import parse

WEIGHTS_OF = "examples.npz"
"""The file that a spec with weights of examples names; nobody reads it."""
RECURRENT = "rnn|lstm|gru"
TRAINED = rf"dense|embedding|batchnorm|layernorm|conv1d|prelu|{RECURRENT}"
Edit = Callable[[str, Model, random.Random], str]


def understood(text: str) -> Model | None:
    """The model of a spec, None where the compiler refuses it."""
    source = Source("random.nn", text)
    try:
        return resolve(parse(source), source)[0]
    except CompileError:
        return None


def with_extras(text: str, rng: random.Random, *, moods: bool = True) -> str:
    """The spec with one to three of these edits; without `moods` it draws nothing and carries nothing."""
    drawn = rng.sample([*STILL, *(MOODY if moods else [])], rng.randint(1, 3))
    for edit in [*drawn, *([stateful] if moods else [])]:  # few specs have a layer that can be
        model = understood(text)
        if model is None:
            return text  # a bug of the compiler or the generator: whoever compiles it sees which
        changed = edit(text, model, rng)
        text = changed if understood(changed) is not None else text
    return text


# ----------------------------------------------------------------------------------------------------------- the edits


def frozen(text: str, model: Model, rng: random.Random) -> str:
    """Some parameters, or all of a statement's, are kept as they are."""
    trained = [name for name, p in model.params.items() if p.trained]
    whole = sorted({name.partition(".")[0] for name in trained})
    chosen = rng.sample(rng.choice([trained, whole]), 1) if trained else []
    return in_train(text, f"freeze = [{', '.join(chosen)}]") if chosen else text


def untrained(text: str, model: Model, rng: random.Random) -> str:
    """A layer says that it is not trained."""
    return with_argument(text, TRAINED, "trainable = false", rng)


def weighted(text: str, model: Model, rng: random.Random) -> str:
    """Each example counts as much as a column says."""
    fields = ", ".join(f"{name} = {name}" for name in (*model.inputs, *model.targets))
    return text.replace("train {", f'data {{ source = npz("{WEIGHTS_OF}", {fields})  weights = importance }}\ntrain {{')


def masked(text: str, model: Model, rng: random.Random) -> str:
    """A term of the loss counts marked examples only, or marked steps."""
    terms = [term for term in model.train.losses if term.output and term.target]
    if not terms:
        return text
    term = rng.choice(terms)
    steps = next((step.type.example for step in model.steps if step.path == term.output), ())
    places = rng.choice([1, *steps[:1]])
    call = rf"\b{term.loss.name}\({re.escape(term.output)}, {term.target}"
    text = re.sub(call, r"\g<0>, mask = marks", text, count=1)
    return text.replace("  target ", f"  input marks: int[{places}]\n  target ", 1)


def stateful(text: str, model: Model, rng: random.Random) -> str:
    """A recurrent layer carries its state from batch to batch, which has a size and an order."""
    cells = re.findall(r"^cell (\w+)", text, flags=re.MULTILINE)
    changed = with_argument(text, "|".join([RECURRENT, *cells]), "stateful = true", rng)
    changed = re.sub(r"^  shuffle = .*\n", "", changed, flags=re.MULTILINE)
    changed = re.sub(r"^  batch = all$", "  batch = 2", changed, flags=re.MULTILINE)
    return in_train(changed, "shuffle = false") if changed != text else text


def noisy(text: str, model: Model, rng: random.Random) -> str:
    """Something drawn anew is added to a value."""
    named = {step.path: step.type for step in model.steps if re.fullmatch(r"v\d+", step.path)}
    real = {name: type for name, type in named.items() if type.dtype == "real" and type.example}
    if not real:
        return text
    name = rng.choice(sorted(real))
    draw = rng.choice(["", ", normal(0.5)", ", uniform(-1, 1)"])
    noise = f"noise({list(real[name].example)}{draw})"
    return re.sub(rf"^(  {name} = )(.*)$", rf"\g<1>(\g<2>) + 0.3 * {noise}", text, flags=re.MULTILINE)


STILL: list[Edit] = [frozen, untrained, weighted, masked]
MOODY: list[Edit] = [stateful, noisy]


def in_train(text: str, line: str) -> str:
    """The spec with a line more in its train section."""
    return text.replace("train {\n", f"train {{\n  {line}\n", 1)


def with_argument(text: str, names: str, argument: str, rng: random.Random) -> str:
    """The spec with an argument more in one call of a layer of these names, the same text where there is none."""
    calls = list(re.finditer(rf"(?:-> |= |\()({names})\((?=[^()]*\))[^()]*", text))
    if not calls:
        return text
    end = rng.choice(calls).end()
    return f"{text[:end]}{', ' * (text[end - 1] != '(')}{argument}{text[end:]}"
