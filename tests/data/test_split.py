"""The split depends on the content alone."""

from slmkit.data.split import split
from slmkit.text.identity import loose, loose_hash, text_hash


def test_rows_stay_on_their_side_as_data_grows():
    few = [f"question number {i}" for i in range(500)]
    many = [f"another {i}" for i in range(500)] + few
    train, validation = split(few, validation_size=0.1, key=str)
    more_train, more_validation = split(many, validation_size=0.1, key=str)
    assert set(train) <= set(more_train)
    assert set(validation) <= set(more_validation)
    assert 30 <= len(validation) <= 70  # 50 expected; binomial standard deviation 6.7


def test_spellings_of_one_text_stay_together():
    texts = [form for i in range(200) for form in (f"Where is card {i}?", f"where is  card {i}")]
    train, validation = split(texts, validation_size=0.5, key=str)
    assert not {loose(text) for text in train} & {loose(text) for text in validation}


def test_a_few_rows_still_give_one_validation_row():
    train, validation = split(["a", "b", "c"], validation_size=0.01, key=str)
    assert (len(train), len(validation)) == (2, 1)


def test_a_single_row_stays_in_training():
    assert split(["a"], validation_size=0.1, key=str) == (["a"], [])


def test_texts_are_equal_regardless_of_case_punctuation_and_whitespace():
    assert loose("Where's my  CARD?") == "wheres my card"
    assert loose_hash("Where's my card") == loose_hash("wheres  my CARD!")
    assert text_hash("Where's my card") != text_hash("wheres  my CARD!")
    assert loose("?!") == "?!"
    assert text_hash("ab", "c") != text_hash("a", "bc")
