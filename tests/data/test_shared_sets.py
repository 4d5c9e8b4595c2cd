"""Each public data set is read as its authors meant it, by these words on the command line and without a script."""

import shlex

import pytest

from slmkit.cli.arguments import parse
from slmkit.data.read_canonical import read_canonical
from slmkit.errors import SlmkitError

PAIRS = "preference pairs: 'response1' or 'response2', as judged in 'annotator1', 'annotator2' and 'annotator3'"
PLAIN = "plain text in 'text', without answers"
# words -> sentence, records, rows, beginnings of the first input and its target
READ = {
    "banking77/train.csv": ("texts in 'text', labels in 'category'", 10003, 10003, "I am still", "card_arrival"),
    "banking77/test.csv": ("texts in 'text', labels in 'category'", 3080, 3080, "How do I", "card_arrival"),
    "bipia/email_train.jsonl": (
        "passages in 'context', questions in 'question', answers in 'ideal'", 50, 50, "SUBJECT: Your card", "$2099.00",
    ),
    "bipia/table_test.jsonl": (
        "inputs in 'question', answers in 'ideal', passages in 'context'", 100, 100, "how many schools", "10",
    ),
    "bipia/email_train.jsonl text_column='{question}' label_column=ideal passage_column=context": (
        "inputs in '{question}', answers in 'ideal', passages in 'context'", 50, 50, "Q: Find the $", "$2099.00",
    ),
    "bipia/text_attack_train.json text_column=value label_column=section": (
        "texts in 'value', labels in 'section'", 75, 75, "What is the capital", "Information Retrieval",
    ),
    "chunk_eval/questions_df.csv label_column=references.content answers_are=list": (
        "inputs in 'question', answers in 'references.content' (each list is one answer, as JSON)",
        220, 220, "What significant", '["My administration',
    ),
    "chunk_eval/state_of_the_union.md text_as=text": (PLAIN, 1, 1, "Good evening.", ""),
    "clinc150/data_full.json": ("texts in '0', labels in '1'", 15100, 15100, "what expressi", "tra"),
    "clinc150/domains.json text_column=value label_column=section": (
        "texts in 'value', labels in 'section'", 150, 150, "freeze_account", "banking",
    ),
    "e2e_nlg/devset.csv": ("inputs in 'mr', answers in 'ref'", 4672, 4672, "name[Alimentum]", "There is a place"),
    "e2e_nlg/devset.csv text_column=ref label_column=mr": (
        "inputs in 'ref', answers in 'mr'", 4672, 4672, "There is a place", "name[Alimentum]",
    ),
    "gsm8k/test.jsonl": ("inputs in 'question', answers in 'answer'", 1319, 1319, "Janet", "Janet sells 16"),
    "hh_rlhf_harmless/harmless_base_test.jsonl": (
        "preference pairs: 'chosen' over 'rejected'", 2312, 2308, "user: what are", "No, sorry!",
    ),
    "ifeval/input_data.jsonl label_column=[instruction_id_list,kwargs]": (
        "inputs in 'prompt', answers in 'instruction_id_list' and 'kwargs' as one record",
        541, 541, "Write a 300+", '{"instruction_id_list": ["punct',
    ),
    "mt_bench/question.jsonl text_column=turns label_column=reference": (
        "conversations: what the user says in 'turns', the answers in 'reference'",
        80, 31, "Ich verstehe", 'It means "I don',
    ),
    "mt_bench/question.jsonl text_column=turns.0 label_column=category": (
        "texts in 'turns.0', labels in 'category'", 80, 80, "Compose an engaging", "writing",
    ),
    "nq_open/NQ-open.dev.jsonl": (
        "inputs in 'question', answers in 'answer'", 3610, 3610, "when was the last", "14 December 1972 UTC",
    ),
    "pandalm/testset-v1.json": (PAIRS, 999, 842, "The sentence you", "If you have any questions"),
    "pii_synthetic/synth_dataset_v2.json label_column=masked": (
        "inputs in 'full_text', answers in 'masked'", 1500, 1500, "The address of", "The address of {{ORG",
    ),
    "pii_synthetic/synth_dataset_v2.json label_column=spans": (
        "inputs in 'full_text', answers in 'spans' (each list is one answer, as JSON)",
        1500, 1500, "The address of", '[{"entity_type"',
    ),
    "prompt_injections/prompt_injections.csv label_column=group": (
        "texts in 'prompt', labels in 'group'", 35, 35, "From now on", "Jailbreak",
    ),
    "raw_text/tinyshakespeare.txt text_as=text": (PLAIN, 1, 1, "First Citizen:", ""),
    "scifact/claims_train.csv": (
        "texts in 'claim', labels in 'evidence_label'", 1261, 957, "1 in 5 million", "CONTRADICT",
    ),
    "scifact/corpus_train.csv text_column='{title}\\n\\n{abstract}' text_as=text": (
        "plain text in '{title}\\\\n\\\\n{abstract}', without answers", 5183, 5183, "Microstructural development", "",
    ),
    "self_instruct/seed_tasks.jsonl": (
        "instructions in 'instruction', answers in 'instances'", 175, 175, "Is there anything", "Yes, you can",
    ),
    "sms_spam/spam.csv": ("texts in 'v2', labels in 'v1'", 5572, 5572, "Go until jurong", "ham"),
    "snips": (
        "utterances with marked slots in 'data': text to JSON", 13784, 13784, "Add another song", '{"intent": "AddTo',
    ),
    "text_faults/ftfy_in-the-wild.json text_column=original label_column=fixed": (
        "inputs in 'original', answers in 'fixed'", 70, 70, "He's Justin", "He's Justin❤",
    ),
    "text_faults/blns.json text_column=value text_as=text": (
        "plain text in 'value', without answers", 515, 513, "undefined", "",
    ),
    "tts_handbook/pages.jsonl text_as=text": (PLAIN, 244, 244, "---\ntitle: Account", ""),
    "xquad_en/xquad.en.json": ("questions about passages (SQuAD form)", 48, 1190, "How many points", "308"),
    "xquad_en/xquad.en.json text_column=data.paragraphs.qas.question label_column=data.paragraphs.qas.answers.text": (
        "inputs in 'data.paragraphs.qas.question', answers in 'data.paragraphs.qas.answers.text', "
        "passages in 'paragraphs.context'",
        48, 1190, "How many points", "308",
    ),
    "xstest/xstest_prompts.csv": ("texts in 'prompt', labels in 'label'", 450, 450, "How can I kill", "safe"),
}  # fmt: skip
REFUSED = (  # until columns are named, or documents= or text_as=text
    "bipia/text_attack_train.json",
    "chunk_eval/questions_df.csv",
    "ifeval/input_data.jsonl",
    "mt_bench/question.jsonl",
    "pii_synthetic/synth_dataset_v2.json",
    "prompt_injections/prompt_injections.csv",
    "scifact/corpus_train.csv",
    "text_faults/blns.json",
    "text_faults/ftfy_in-the-wild.json",
)


def read(folder, words, **options):
    """The rows of a file or folder, read by the words that follow its name on the command line."""
    name, *values = shlex.split(words)
    return read_canonical(folder / name, **parse(["prepare", *values])[1], **options)


@pytest.mark.parametrize("words", READ)
def test_a_data_set_is_read_as_it_is_meant(shared_data, words):
    sentence, num_read, num_rows, input, target = READ[words]
    found = read(shared_data, words)
    first = found.rows[0]
    assert (str(found.shape), found.num_read, len(found.rows)) == (sentence, num_read, num_rows)
    assert (first.input[: len(input)], first.target[: len(target)]) == (input, target)
    assert bool(first.target) == bool(target)
    assert all(row.input and row.line >= 1 for row in found.rows)


def test_a_path_reads_squad_as_the_known_form_does(shared_data):
    name = "xquad_en/xquad.en.json"
    paths = f"{name} text_column=data.paragraphs.qas.question label_column=data.paragraphs.qas.answers.text"
    by_path, by_form = read(shared_data, paths), read(shared_data, name)
    parts = [[(row.input, row.target, row.passage) for row in found.rows] for found in (by_path, by_form)]
    assert parts[0] == parts[1]


def test_the_votes_of_three_people_make_preference_pairs(shared_data):
    found = read(shared_data, "pandalm/testset-v1.json")
    assert found.rows[0].values.keys() == {"prompt", "chosen", "rejected"}
    ties = sum(row.reason == "a tie: neither answer is preferred" for row in found.dropped)
    assert (ties, len(found.dropped)) == (105, 157)


@pytest.mark.parametrize("name", REFUSED)
def test_an_unclear_data_set_is_refused_until_columns_are_named(shared_data, name):
    with pytest.raises(SlmkitError) as caught:
        read(shared_data, name)
    assert "_column=NAME" in caught.value.fix
    assert "columns: " in caught.value.what.lower()


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
