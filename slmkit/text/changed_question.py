"""Decides whether the words in which two near duplicates differ may change what is asked.

"password of my account", "password for my account"    no: words that only link others
"Thanks! Where is my card?", "Where is my card?"       no: words are added
"in one French word", "in one German word"             yes: a word with a meaning has another in its place
"is it open", "is it not open"                         yes: a negation
"""

from __future__ import annotations

from collections.abc import Sequence

from slmkit.text.identity import marks

# Function words of English, German, French, Spanish, Italian, Portuguese and Russian, and those of Chinese.
_LINKING_WORDS = """
    a an the this that these those my your our his her its their me you we us they them it i he she of for to in on
    at by with about into onto as and or but so if then than is are was were be been being am do does did can could
    will would shall should may might must have has had get got please what which how kindly just also there here
    hi hello hey thanks
    der die das den dem des ein eine einen einem einer eines mein meine meinen meinem meiner dein ihr ihre ihren unser
    unsere ich du er sie es wir man zu zum zur von vom im am auf für mit bei an aus und oder aber ist sind war kann
    könnte soll muss habe hat haben werden wird bitte was welche welcher welches wie
    le la les l un une de du au aux mon ma mes ton ta tes son sa ses notre nos votre vos je tu il elle on nous vous ils
    pour par sur dans en avec et ou mais est sont peut puis pouvez dois veuillez que quel quelle quels quelles comment
    el los las lo una unos unas del al mi mis tu tus su sus nuestro nuestra yo usted por para con y o pero es son
    puedo puede debo qué que cuál cómo como
    gli uno di da nel della mio mia il per e ma sono posso puoi devo quale come
    os um uma do da no na meu minha seu sua eu você por com posso qual como
    я мы вы он она мой моя моё мое мои мне в во на с со к по из у о об и или а но как какой какая какие что могу можно
    的 了 吗 呢 吧 啊 是 在 我 你 您 请 们 和 与 或 个 把 被 得 地 着 能 可 以 如 何 怎 么 样 什"""
_TURNING_WORDS = """
    not no never without cannot cant dont doesnt didnt isnt arent wasnt wont couldnt shouldnt before after off out
    under up down more less least most from who where when why except unless until
    nicht kein keine keinen ohne vor nach warum wann wer ne pas jamais sans avant après pourquoi quand
    sin nunca antes después non senza prima dopo não nao sem depois не нет без до после 不 没 沒 别 無 无"""
_LINKING, _TURNING = frozenset(_LINKING_WORDS.split()), frozenset(_TURNING_WORDS.split())
_FEWEST_SHARED = 4  # letters of two forms of a word: "bank", "banking"
_MOST_ENDING = 3  # letters by which these differ
_FIRST_UNSPACED = "\u0e00"


def changes_question(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether a word with a meaning is replaced by another, or a word that turns the question is added or removed."""
    from rapidfuzz.distance import Levenshtein

    for part in Levenshtein.opcodes(a, b):
        if part.tag == "equal":
            continue
        before, after = list(a[part.src_start : part.src_end]), list(b[part.dest_start : part.dest_end])
        removed = [word for word in before if not any(_is_same(word, other) for other in after)]
        added = [word for word in after if not any(_is_same(word, other) for other in before)]
        if not _TURNING.isdisjoint([*removed, *added]):
            return True
        if any(map(_has_meaning, removed)) and any(map(_has_meaning, added)):
            return True
    return False


def _has_meaning(word: str) -> bool:
    return word not in _LINKING and (word.isalnum() or bool(marks([word])) or len(word) > 1)


def _is_same(word: str, other: str) -> bool:
    """Whether one word is another form of the other one, or a misspelling of it."""
    from rapidfuzz.distance import OSA

    if word == other:
        return True
    if marks([word, other]) or max(word, other) >= _FIRST_UNSPACED:
        return False
    shorter, longer = sorted((word, other), key=len)
    if len(shorter) < _FEWEST_SHARED:
        return False
    if longer.startswith(shorter) and len(longer) - len(shorter) <= _MOST_ENDING:
        return True
    return len(shorter) > _FEWEST_SHARED and OSA.distance(word, other, score_cutoff=1) <= 1
