"""Skills that need no notes: rules that also hold in real English, chains of operations, and tool calls.

Each skill has a noun, three wordings, and a function that draws an object with its answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

from slmkit.micro_world import vocabulary
from slmkit.micro_world.engine import Doc, Split, Turn, belongs, names, share

FRAMES = (
    "what is the {k} of {x}?", "say the {k} of {x}.", "give the {k} of {x}.", "{k} of {x}?", "{k}: {x}.", "{x}: {k}?",
    "tell me the {k} of {x}.", "do you know the {k} of {x}?", "find the {k} of {x}.", "as for {x}, what is the {k}?",
)  # fmt: skip
RING = 20  # chains calculate modulo 20, so that every step is one of few
STEP_BY_STEP, AT_ONCE = "think step by step.", "answer at once."
LISTED = tuple(
    dict.fromkeys(vocabulary.FOODS + vocabulary.TOOLS + vocabulary.ANIMALS + vocabulary.GOODS + vocabulary.MATERIALS)
)
SPELLED = tuple(
    word for word in dict.fromkeys((*LISTED, *vocabulary.OPPOSITES, *vocabulary.COLOURS)) if len(word) <= 6
)
Drawn = tuple[str, str]  # object of the question, answer


def skill(r: random.Random, split: Split, *, nouns: tuple[str, ...] | None = None) -> Doc:
    """One to four questions about one skill; gold sets ask one, half the time in a wording not used in training."""
    gold = split in ("gold", "live")
    noun = r.choice(nouns or (tuple(SKILLS) if r.random() < 0.6 else _HARD))
    new = gold and r.random() < 0.5
    draws = [SKILLS[noun][1](r) for _ in range(1 if gold else r.randint(1, 4))]
    turns = tuple(Turn(r.choice(_wordings(noun, new)).replace("{x}", x), answer) for x, answer in draws)
    return Doc("skills", "", turns, slice={"skill": noun, "wording": "new" if new else "trained"})


def rule(r: random.Random, split: Split) -> Doc:
    """A question about a skill without arithmetic."""
    return skill(r, split, nouns=RULES)


def arithmetic(r: random.Random, split: Split) -> Doc:
    """A question about a sum or a difference of numbers up to 20."""
    return skill(r, split, nouns=ARITHMETIC)


def pattern(r: random.Random, split: Split) -> Doc:
    """Three words without an instruction; the target is the words in reverse order."""
    while not belongs((drawn := _reverse(r))[0], split):
        pass
    return Doc("pattern", "", (Turn(*drawn),))


def patterns(r: random.Random, split: Split) -> Doc:
    """Two to six objects with the results of one unstated rule, which the earlier ones reveal."""
    draw = r.choice(_PATTERNS)
    return Doc("pattern", "", tuple(Turn(*draw(r)) for _ in range(r.randint(2, 6))))


def say_word(r: random.Random, split: Split) -> Doc:
    """A word, a name or three words to repeat."""
    word = r.choice(
        (r.choice(vocabulary.MARKS), r.choice(LISTED), r.choice(names(split)), " ".join(r.sample(LISTED, 3)))
    )
    return Doc("say", "", (Turn(r.choice(("say {x}.", "please say {x}.", "say {x} again.")).format(x=word), word),))


def chain(r: random.Random, split: Split) -> Doc:
    """A start and one to five operations modulo 20, to answer with or without thoughts; gold sets use four."""
    depth = r.randint(1, 5) if split == "train" else 4
    value = start = r.randrange(RING)
    performed, steps = [], [str(start)]
    for _ in range(depth):
        operation, by = r.choice(("add", "minus", "double")), r.randint(1, 5)
        value = {"add": value + by, "minus": value - by, "double": 2 * value}[operation] % RING
        performed.append(operation if operation == "double" else f"{operation} {by}")
        steps.append(f"{performed[-1]} is {value}")  # repeats the operation, so that the result follows from it
    think = r.random() < (0.75 if split == "train" else 0.5)
    question = f"on a ring of {RING}: start {start}. {'. '.join(performed)}. {STEP_BY_STEP if think else AT_ONCE}"
    if split != "train" and not belongs(operations(question), split):
        return chain(r, split)
    slices = {"depth": str(depth), "mode": "think" if think else "direct"}
    return Doc("chains", "", (Turn(question, str(value), ", ".join(steps) if think else ""),), slice=slices)


def operations(question: str) -> str:
    """The operations of a chain, e.g. "add 5. double"; their hash decides the split."""
    return question.partition(". ")[2].rpartition(". ")[0]


def tool_call(r: random.Random, split: Split) -> Doc:
    """With tools available: a call if one is needed, the answer after its result, and otherwise a direct answer."""
    kind = r.choice(("calc", "lookup", "none"))
    notes = "you have the tools calc and lookup."
    if kind == "none":
        inner = say_word(r, split) if r.random() < 0.5 else rule(r, split)
        return Doc("tools", notes, inner.turns[:1], slice={"kind": kind})
    if kind == "calc":
        left, right = r.randint(1, 49), r.randint(1, 49)
        question = r.choice(("how much is {a} plus {b}?", "what is {a} plus {b}?", "add {a} and {b}."))
        question, call, result = question.format(a=left, b=right), f"call calc {left} + {right}", str(left + right)
    else:
        name, relation = r.choice(names(split)), r.choice(list(vocabulary.RELATIONS))
        question = r.choice(_LOOK_UPS)
        question, call = question.format(r=relation, n=name), f"call lookup {name} {relation}"
        result = r.choice(vocabulary.RELATIONS[relation].values or names(split))
    turns = [Turn(question, call)]
    if split == "train":
        failed = r.random() < 0.1
        turns.append(Turn("error", "the tool failed", role="tool") if failed else Turn(result, result, role="tool"))
    return Doc("tools", notes, tuple(turns), slice={"kind": kind})


def _opposite(r: random.Random) -> Drawn:
    word = r.choice(list(vocabulary.OPPOSITES))
    return word, vocabulary.OPPOSITES[word]


def _category(r: random.Random) -> Drawn:
    category = r.choice(list(vocabulary.CATEGORIES))
    return r.choice(vocabulary.CATEGORIES[category]), category


def _mood(r: random.Random) -> Drawn:
    mood = r.choice(("good", "bad"))
    thing, word = (
        r.choice(vocabulary.PRAISED),
        r.choice(vocabulary.GOOD_WORDS if mood == "good" else vocabulary.BAD_WORDS),
    )
    return r.choice(("the {t} was {w}", "a {w} {t}", "this {t} is {w}", "{w} {t}")).format(t=thing, w=word), mood


def _larger(r: random.Random) -> Drawn:
    left, right = r.sample(range(100), 2)
    return f"{left} and {right}", str(max(left, right))


def _smaller(r: random.Random) -> Drawn:
    left, right = r.sample(range(100), 2)
    return f"{left} and {right}", str(min(left, right))


def _reverse(r: random.Random) -> Drawn:
    three = r.sample(LISTED, 3)
    return " ".join(three), " ".join(reversed(three))


def _first(r: random.Random) -> Drawn:
    three = r.sample(LISTED, 3)
    return " ".join(three), three[0]


def _last(r: random.Random) -> Drawn:
    three = r.sample(LISTED, 3)
    return " ".join(three), three[2]


def _letters(r: random.Random) -> Drawn:
    word = r.choice(SPELLED)
    return word, " ".join(word)


def _order(r: random.Random) -> Drawn:
    three = r.sample(range(100), 3)
    return " ".join(map(str, three)), " ".join(map(str, sorted(three)))


def _next_day(r: random.Random) -> Drawn:
    number = r.randrange(7)
    return vocabulary.DAYS[number], vocabulary.DAYS[(number + 1) % 7]


def _sum(r: random.Random) -> Drawn:
    left, right = r.randint(0, 20), r.randint(0, 20)
    return f"{left} and {right}", str(left + right)


def _difference(r: random.Random) -> Drawn:
    right, left = sorted((r.randint(0, 20), r.randint(0, 20)))
    return f"{left} and {right}", str(left - right)


Draw = Callable[[random.Random], Drawn]
SKILLS: dict[str, tuple[tuple[str, ...], Draw]] = {
    "opposite": (("turn {x} around.", "not {x} but?", "what is {x} turned around?"), _opposite),
    "kind": (("what kind of thing is {x}?", "which kind is {x}?", "{x} is a kind of what?"), _category),
    "mood": (("good or bad: {x}?", "{x}. good or bad?", "is it good or bad: {x}?"), _mood),
    "larger number": (("which is larger: {x}?", "{x}: which is larger?", "the larger of {x}?"), _larger),
    "smaller number": (("which is smaller: {x}?", "{x}: which is smaller?", "the smaller of {x}?"), _smaller),
    "reverse": (("say in reverse: {x}.", "turn the words around: {x}.", "the words in reverse: {x}."), _reverse),
    "first word": (("which word is first: {x}?", "{x}: which is first?", "say the first: {x}."), _first),
    "last word": (("which word is last: {x}?", "{x}: which is last?", "say the last: {x}."), _last),
    "letters": (("spell {x}.", "how do you spell {x}?", "say the letters: {x}."), _letters),
    "order": (("sort {x}.", "sort the numbers {x}.", "{x}, in order?"), _order),
    "next day": (("which day comes after {x}?", "after {x} comes?", "the day after {x}?"), _next_day),
    "sum": (("how much is {x} together?", "add {x}.", "together {x} is?"), _sum),
    "difference": (("take the smaller away: {x}.", "how far from each other are {x}?", "{x}: how far?"), _difference),
}
_LOOK_UPS = (
    "look up the {r} of {n}.", "what does the book say of the {r} of {n}?", "find the {r} of {n} in the book.",
)  # fmt: skip
ARITHMETIC = ("sum", "difference")
RULES = tuple(noun for noun in SKILLS if noun not in ARITHMETIC)
_HARD = ("letters", "order", "reverse", "sum", "difference", "larger number", "smaller number")
_PATTERNS: tuple[Draw, ...] = (
    _reverse, _reverse, _first, _last, _opposite, _category, _letters, _larger, _smaller, _next_day,
)  # fmt: skip


@cache
def _wordings(noun: str, new: bool) -> tuple[str, ...]:
    """The new or the training wordings of a skill, chosen as for relations."""
    frames = [frame.replace("{k}", noun) for frame in FRAMES]
    new_wordings = {*sorted(frames, key=share)[: vocabulary.NUM_GOLD_WORDINGS - 1], SKILLS[noun][0][-1]}
    return tuple(wording for wording in (*frames, *SKILLS[noun][0]) if (wording in new_wordings) == new)
