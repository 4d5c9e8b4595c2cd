"""The split follows from the content alone."""

from slmkit.data.split import split
from slmkit.text.identity import normalise, text_hash


def test_more_data_keep_old_rows_on_their_side():
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
    assert not {normalise(text) for text in train} & {normalise(text) for text in validation}


def test_a_handful_of_rows_still_has_one_to_validate():
    train, validation = split(["a", "b", "c"], validation_size=0.01, key=str)
    assert (len(train), len(validation)) == (2, 1)


def test_one_row_stays_in_training():
    assert split(["a"], validation_size=0.1, key=str) == (["a"], [])


def test_texts_count_as_the_same_whatever_their_case_marks_and_spaces():
    assert normalise("Where's my  CARD?") == "wheres my card"
    assert text_hash("Where's my card") == text_hash("wheres  my CARD!")
    assert normalise("?!") == "?!"
    assert text_hash("ab", "c") != text_hash("a", "bc")
