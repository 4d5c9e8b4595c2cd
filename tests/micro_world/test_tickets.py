"""House tickets follow a scheme that only the handbook or examples reveal."""

from __future__ import annotations

from slmkit.micro_world import vocabulary
from slmkit.micro_world.engine import rng
from slmkit.micro_world.gold_sets import draw
from slmkit.micro_world.tickets import handbook, house


def test_a_house_has_a_code_per_pair_and_another_house_has_different_ones():
    one, other = house(0), house(1)
    assert len(set(one.codes.values())) == len(vocabulary.TOPICS) * len(vocabulary.URGENCY) == 12
    assert sum(one.codes[pair] == other.codes[pair] for pair in one.codes) <= 3


def test_the_handbook_contains_every_code_and_team():
    text = " ".join(passage for _, passage in handbook())
    assert all(word in text for word in (*house(0).codes.values(), *house(0).teams.values()))


def test_the_most_similar_ticket_has_the_same_code_in_at_most_45_percent_of_the_cases():
    """Otherwise few-shot prompting with the nearest examples could just copy."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    train, gold = draw("tickets", "train", 1000).examples, draw("tickets", "live", 1000).examples
    vectors = TfidfVectorizer().fit([example.input for example in train])
    near = vectors.transform([e.input for e in gold]) @ vectors.transform([e.input for e in train]).T
    nearest = near.toarray().argmax(1)
    shared = sum(train[n].target.split(";")[0] == e.target.split(";")[0] for n, e in zip(nearest, gold, strict=True))
    assert 0.08 < shared / len(gold) <= 0.45


def test_codes_depend_on_the_house_seed_and_not_on_the_words():
    marks = [mark for mark in vocabulary.MARKS if mark in " ".join(sum(vocabulary.TOPICS.values(), ()))]
    assert marks == []
    assert house(3).codes == house.__wrapped__(3).codes
    assert rng("house", 3).random() == rng("house", 3).random()
