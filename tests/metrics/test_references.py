"""Metrics against rouge-score, sacrebleu, the SQuAD script and scikit-learn, in Latin and other scripts.

Where ours differ from the reference, the test says why.
"""

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score import rouge_scorer
from sacrebleu import CHRF
from sklearn.metrics import f1_score

from slmkit.metrics._words import plain_words
from slmkit.metrics.chrf import chrf, corpus_chrf
from slmkit.metrics.labels import label_f1, macro_f1
from slmkit.metrics.overlap import f1, rouge_l
from slmkit.types import Answer, Example

PAIRS = {
    "English": (
        "The kettle was moved to the attic; it returns on Monday.",
        "On Monday the kettle returns to the attic",
    ),
    "French": ("La bouilloire a été déplacée au grenier jusqu’à lundi.", "La bouilloire est au grenier jusqu’à mardi"),
    "German": ("Der Kessel steht bis Montag auf dem Dachboden.", "Der Kessel stand größtenteils auf dem Dachboden"),
    "Russian": ("Чайник перенесли на чердак до понедельника.", "Чайник стоит на чердаке до понедельника"),
    "Chinese": ("水壶搬到阁楼，星期一搬回", "水壶星期一搬回阁楼"),
    "Japanese": ("やかんは屋根裏に移された。", "やかんは月曜に屋根裏から戻る"),
    "Thai": ("กาต้มน้ำถูกย้ายไปห้องใต้หลังคา", "กาต้มน้ำอยู่ที่ห้องใต้หลังคา"),
    "Arabic": ("نُقلت الغلاية إلى العلية حتى يوم الاثنين.", "الغلاية في العلية حتى يوم الاثنين"),
    "Hindi": ("केतली को सोमवार तक अटारी में रखा गया।", "केतली सोमवार तक अटारी में है"),
}
ascii_texts = st.text(string.ascii_letters[:6] + "AT 12_.,'\"-\n$+", max_size=40)


def scored(metric, target, text):
    return metric(Example("1", "?", target), Answer("1", text))


class _Words:
    """Our words as a tokenizer of rouge-score, whose own drops all but a-z and 0-9."""

    def tokenize(self, text):
        return plain_words(text)


@given(target=ascii_texts, text=ascii_texts)
def test_rouge_l_equals_rouge_score_on_ascii(target, text):
    reference = rouge_scorer.RougeScorer(["rougeL"]).score(target, text)["rougeL"].fmeasure
    if plain_words(target) and plain_words(text):
        assert scored(rouge_l, target, text) == pytest.approx(reference)
    else:  # without words, rouge-score gives 0 to "?" for "?" too; ours gives 1 to a text for itself
        assert reference == 0.0 and scored(rouge_l, target, target) == 1.0


@pytest.mark.parametrize("language", PAIRS)
def test_rouge_l_equals_rouge_score_with_the_words_of_any_script(language):
    target, text = PAIRS[language]
    reference = rouge_scorer.RougeScorer(["rougeL"], tokenizer=_Words()).score(target, text)["rougeL"].fmeasure
    assert scored(rouge_l, target, text) == pytest.approx(reference) and 0.2 < reference < 0.95
    # the default tokenizer agrees for English alone: it cuts "été" into "t", and finds no word in the other scripts
    default = rouge_scorer.RougeScorer(["rougeL"]).score(target, text)["rougeL"].fmeasure
    assert (default == pytest.approx(reference)) == (language == "English")


@pytest.mark.parametrize("metric", [f1, rouge_l])
def test_word_overlap_counts_words_or_characters_of_each_script(metric):
    for language, (target, text) in PAIRS.items():
        others = [other for name, (other, _) in PAIRS.items() if name != language]
        assert 0.0 < scored(metric, target, text) < 1.0, language
        assert max(scored(metric, target, other) for other in others) < 0.3, language
    assert scored(metric, "水壶搬到阁楼", "水壶在阁楼") == pytest.approx(2 * 4 / (6 + 5))  # 水 壶 阁 楼
    assert scored(metric, "केतली काली", "केतली कला") == pytest.approx(1 / 2)  # vowel signs belong to their word


# As in the official script evaluate-v2.0.py of SQuAD: Rajpurkar et al., https://rajpurkar.github.io/SQuAD-explorer.
def normalize_answer(s):
    def remove_articles(text):
        regex = re.compile(r"\b(a|an|the)\b", re.UNICODE)
        return re.sub(regex, " ", text)

    def white_space_fix(text):
        return " ".join(text.split())

    def remove_punc(text):
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    def lower(text):
        return text.lower()

    return white_space_fix(remove_articles(remove_punc(lower(s))))


def get_tokens(s):
    if not s:
        return []
    return normalize_answer(s).split()


def compute_f1(a_gold, a_pred):
    gold_toks = get_tokens(a_gold)
    pred_toks = get_tokens(a_pred)
    common = Counter(gold_toks) & Counter(pred_toks)
    num_same = sum(common.values())
    if len(gold_toks) == 0 or len(pred_toks) == 0:
        return int(gold_toks == pred_toks)
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(pred_toks)
    recall = 1.0 * num_same / len(gold_toks)
    return (2 * precision * recall) / (precision + recall)


@given(target=ascii_texts, text=ascii_texts)
def test_f1_equals_the_squad_script_on_ascii(target, text):
    if get_tokens(target) and get_tokens(text):
        assert scored(f1, target, text) == pytest.approx(compute_f1(target, text))
    elif get_tokens(target) or get_tokens(text):
        assert scored(f1, target, text) == compute_f1(target, text) == 0.0


@pytest.mark.parametrize(
    ("target", "text", "squad", "ours"),
    [
        ("the", "", 1.0, 0.0),  # nothing left on both sides: compared whole
        ("*", "**", 1.0, 0.0),
        ("oak", "« oak »", 0.5, 1.0),  # the script removes ASCII punctuation only
        ("水壶在阁楼", "水壶在", 0.0, 2 * 3 / (5 + 3)),  # and cuts at spaces only
        ("é", "e\u0301", 0.0, 1.0),  # two encodings of one letter
    ],
)
def test_f1_differs_from_the_squad_script_where_that_loses_the_text(target, text, squad, ours):
    assert compute_f1(target, text) == pytest.approx(squad) and scored(f1, target, text) == pytest.approx(ours)


@pytest.mark.parametrize("language", PAIRS)
def test_chrf_equals_sacrebleu_in_any_script(language):
    target, text = PAIRS[language]
    assert scored(chrf, target, text) == pytest.approx(CHRF().sentence_score(text, [target]).score / 100)


def test_corpus_chrf_equals_sacrebleu_with_several_references():
    examples = [Example(name, "?", target) for name, (target, _) in PAIRS.items()]
    answers = [Answer(name, text) for name, (_, text) in PAIRS.items()]
    texts, targets = [answer.text for answer in answers], [example.target for example in examples]
    assert corpus_chrf(examples, answers) == pytest.approx(CHRF().corpus_score(texts, [targets]).score / 100)
    examples[4] = Example("Chinese", "?", targets[4], aliases=("水壶星期一搬回",))
    more = [None] * 4 + ["水壶星期一搬回"] + [None] * 4
    assert corpus_chrf(examples, answers) == pytest.approx(CHRF().corpus_score(texts, [targets, more]).score / 100)


@given(rows=st.lists(st.tuples(st.sampled_from(["a", "b", "*", "**"]), st.sampled_from(["a", "b", "*", "x", "."]))
                     , min_size=1, max_size=20))  # fmt: skip
def test_macro_f1_equals_scikit_learn_over_the_labels_of_the_gold_set_or_over_those_seen(rows):
    targets, texts = map(list, zip(*rows, strict=True))
    examples = [Example(str(i), "?", target) for i, target in enumerate(targets)]
    answers = [Answer(str(i), text) for i, text in enumerate(texts)]
    of_gold = f1_score(targets, texts, labels=sorted(set(targets)), average="macro", zero_division=0)
    assert macro_f1(examples, answers) == macro_f1(examples, answers, labels="gold") == pytest.approx(of_gold)
    seen = f1_score(targets, texts, average="macro", zero_division=0)
    assert macro_f1(examples, answers, labels="seen") == pytest.approx(seen)
    for label in set(targets):
        [one] = f1_score(targets, texts, labels=[label], average=None, zero_division=0)
        assert label_f1(examples, answers, label=label) == pytest.approx(one)
