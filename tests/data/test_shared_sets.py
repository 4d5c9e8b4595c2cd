"""Each public data set is read in the shape its authors intended, or refused with the parameter to set."""

import pytest

from slmkit.data.read_canonical import read_canonical
from slmkit.errors import SlmkitError

READ = {  # file -> kind, number of records, number of canonical rows
    "banking77/train.csv": ("classification", 10003, 10003),
    "banking77/test.csv": ("classification", 3080, 3080),
    "bipia/email_train.jsonl": ("passage_question", 50, 50),
    "bipia/table_test.jsonl": ("passage_question", 100, 100),
    "chunk_eval/state_of_the_union.md": ("text", 1, 427),
    "clinc150/data_full.json": ("classification", 23700, 23700),
    "e2e_nlg/devset.csv": ("input_target", 4672, 4672),
    "gsm8k/train.jsonl": ("input_target", 7473, 7473),
    "hh_rlhf_harmless/harmless_base_test.jsonl": ("preference", 2312, 2308),
    "nq_open/NQ-open.dev.jsonl": ("input_target", 3610, 3610),
    "scifact/claims_train.csv": ("classification", 1261, 957),
    "self_instruct/seed_tasks.jsonl": ("alpaca", 175, 175),
    "self_instruct/user_oriented_instructions.jsonl": ("alpaca", 252, 252),
    "sms_spam/spam.csv": ("classification", 5572, 5572),
    "snips": ("slots", 13784, 13784),
    "xquad_en/xquad.en.json": ("squad", 48, 1190),
    "xstest/xstest_prompts.csv": ("classification", 450, 450),
}
REFUSED = {  # file -> the columns with which it can be read, if any
    "bipia/text_attack_train.json": ("value", "section"),
    "chunk_eval/questions_df.csv": ("question", "references"),
    "ifeval/input_data.jsonl": None,  # prompts without answers
    "mt_bench/question.jsonl": None,
    "pandalm/testset-v1.json": ("instruction", "response1"),
    "pii_synthetic/synth_dataset_v2.json": ("full_text", "masked"),
    "prompt_injections/prompt_injections.csv": ("prompt", "group"),
    "scifact/corpus_train.csv": None,  # a corpus: name it as documents
    "text_faults/blns.json": None,
    "text_faults/ftfy_in-the-wild.json": ("original", "fixed"),
}


@pytest.mark.parametrize("name", READ)
def test_a_data_set_is_read_in_its_shape(shared_data, name):
    found = read_canonical(shared_data / name)
    assert (found.shape.kind, found.num_read, len(found.rows)) == READ[name]
    assert all(row.input and row.line >= 1 for row in found.rows)


@pytest.mark.parametrize("name", REFUSED)
def test_an_unclear_data_set_is_refused_until_columns_are_named(shared_data, name):
    with pytest.raises(SlmkitError) as caught:
        read_canonical(shared_data / name)
    assert "_column=NAME" in caught.value.fix
    assert "columns: " in caught.value.what.lower()
    if REFUSED[name]:
        text, label = REFUSED[name]
        assert read_canonical(shared_data / name, text_column=text, label_column=label).rows


def test_documents_become_gap_fill_questions(shared_data):
    found = read_canonical(shared_data / "tts_handbook" / "pages.jsonl")
    assert (found.shape.kind, found.num_read, found.is_synthetic) == ("text", 244, True)
    assert len(found.rows) > 9_000


def test_several_splits_in_one_file_are_reported(shared_data):
    notes = []
    read_canonical(shared_data / "clinc150" / "data_full.json", on_note=notes.append)
    assert any("train 15,000" in note and "test 4,500" in note for note in notes)
    notes.clear()
    read_canonical(shared_data / "snips", on_note=notes.append)
    assert not any("train " in note and "test " in note for note in notes)


def test_files_that_are_not_utf8_are_read_and_reported(shared_data):
    for name, value in (
        ("sms_spam/spam.csv", "mac_roman"),
        ("snips/train_PlayMusic_full.json", "line 9091, byte 0xed"),
        ("raw_text/how_to_listen_to_music_17474-8.txt", "cp1252"),
    ):
        notes = []
        read_canonical(shared_data / name, text_as="text", on_note=notes.append)
        assert any(value in note for note in notes), name
