"""The prepare stage: canonical rows without duplicates or gold questions; each drop has its reason and line."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from project_files import read_jsonl
from ruamel.yaml import YAML
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

import slmkit
from slmkit.data.cleaning.filters import Filters
from slmkit.errors import RefusedError, SlmkitError
from slmkit.gold.freeze import freeze_once
from slmkit.models.load import load_tokenizer
from slmkit.runs.run_folder import Run
from slmkit.stages.prepare import check, prepare
from slmkit.text.identity import loose
from slmkit.types import ModelRef

NANO = ModelRef("nano", str(Path(slmkit.__file__).parent / "assets" / "nano"))


def notes_of(run):
    return [row["text"] for row in read_jsonl(run.path("notes.jsonl"))]


def table(path, count=200):
    lines = [f"question about thing {i},label_{i % 4}" for i in range(count)]
    path.write_text("text,label\n" + "\n".join(lines) + "\n")
    return path


def run_prepare(tmp_path, name="run", **options):
    run = Run(tmp_path / name)
    prepare(run, **options)
    return run, {
        part: read_jsonl(run.path(f"{part}.jsonl")) for part in ("train", "validation", "documents", "dropped")
    }


def test_every_row_is_kept_or_dropped_with_its_reason_and_line(tmp_path):
    data = tmp_path / "data.csv"
    data.write_text(
        "text,label\nWhere is my card?,card\n,card\nwhere is my CARD,card\nIs it late?,time\nIs it late?,card\nWho?,\n"
    )
    run, files = run_prepare(tmp_path, data=data, validation_size=0)
    assert [(row["reason"], row["line"]) for row in files["dropped"]] == [
        ("empty text", 3),
        ("empty label", 7),
        ("near duplicate", 4),
    ]
    assert len(files["train"]) + len(files["dropped"]) == run.metrics["num_rows_in"] == 6
    (conflict,) = read_jsonl(run.path("conflicts.jsonl"))
    assert conflict["labels"] == ["time", "card"]


def test_rows_are_messages_with_the_task_instruction(tmp_path):
    _, files = run_prepare(tmp_path, data=table(tmp_path / "data.csv"), instruction="Choose.")
    roles = [message["role"] for message in files["train"][0]["messages"]]
    assert roles == ["system", "user", "assistant"]
    assert files["train"][0]["messages"][0]["content"] == "Choose."
    assert len({row["id"] for row in files["train"]}) == len(files["train"])


def test_no_row_of_gold_or_its_dev_set_is_trained_on(tmp_path):
    data = table(tmp_path / "data.csv")
    gold = freeze_once(data, folder=tmp_path / "gold" / "mine")
    data.write_text(data.read_text() + f"{gold.examples[0].input.upper()}!!,other\n")
    run, files = run_prepare(tmp_path, data=data, gold=gold.folder)
    held = {loose(example.input) for example in (*gold.examples, *gold.dev)}
    trained = {loose(row["messages"][-2]["content"]) for part in ("train", "validation") for row in files[part]}
    assert not held & trained
    assert run.metrics["num_in_gold"] == len(held) + 1
    assert len(trained) == 200 - len(held)


def test_rows_keep_their_split_as_data_grows(tmp_path):
    _, few = run_prepare(tmp_path, "few", data=table(tmp_path / "few.csv", 200))
    _, many = run_prepare(tmp_path, "many", data=table(tmp_path / "many.csv", 400))
    ids = {name: {part: {row["id"] for row in files[part]} for part in ("train", "validation")}
           for name, files in (("few", few), ("many", many))}  # fmt: skip
    assert ids["few"]["train"] < ids["many"]["train"]
    assert ids["few"]["validation"] <= ids["many"]["validation"]


def test_max_rows_keeps_a_random_sample_and_counts_the_rest(tmp_path):
    _, files = run_prepare(tmp_path, data=table(tmp_path / "data.csv"), max_rows=50, validation_size=0)
    assert len(files["train"]) == 50
    assert {row["reason"] for row in files["dropped"]} == {"above max_rows"}
    labels = {row["messages"][-1]["content"] for row in files["train"]}
    assert len(labels) == 4


def test_without_documents_each_training_row_is_a_passage(tmp_path):
    _, files = run_prepare(tmp_path, data=table(tmp_path / "data.csv"))
    assert len(files["documents"]) == len(files["train"])
    messages = files["train"][0]["messages"]
    assert files["documents"][0]["text"] == f"{messages[-2]['content']}\n{messages[-1]['content']}"


def test_documents_are_cut_into_passages(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("A few words here.\n\n" * 60)
    _, files = run_prepare(tmp_path, data=table(tmp_path / "data.csv"), documents=tmp_path / "docs", chunk_size=40)
    assert [row["id"] for row in files["documents"]] == [f"a.md#{i}" for i in range(6)]


def test_documents_are_cut_by_tokens_of_the_model_on_request(tmp_path):
    (tmp_path / "a.md").write_text("A few words here.\n\n" * 60)
    options = {"data": table(tmp_path / "data.csv"), "documents": tmp_path / "a.md", "chunk_by": "tokens"}
    _, files = run_prepare(tmp_path, chunk_size=40, model=NANO, **options)
    tokenizer = load_tokenizer(NANO)
    lengths = [len(tokenizer(row["text"], add_special_tokens=False)["input_ids"]) for row in files["documents"]]
    assert 30 < lengths[0] <= max(lengths) <= 40
    with pytest.raises(SlmkitError, match="chunk_by=tokens"):
        check(data=options["data"], chunk_by="tokens")


def test_a_folder_of_documents_becomes_gap_fill_questions(tmp_path):
    (tmp_path / "docs").mkdir()
    words = [
        f"{a}{b}" for a in ("tor", "mel", "kap", "sun", "fil", "wex") for b in ("ano", "iber", "usta", "elin", "ora")
    ]
    for i, word in enumerate(words):
        others = " ".join(words[(i + 7 * k) % 30] for k in range(1, 6))
        (tmp_path / "docs" / f"{i}.md").write_text(f"The {word} of {others} began in {1800 + i}.\n")
    gold = freeze_once(tmp_path / "docs", folder=tmp_path / "gold" / "docs")
    run, files = run_prepare(tmp_path, data=tmp_path / "docs", gold=gold.folder)
    passages = {row["id"] for row in files["documents"]}
    assert len(passages) == 30
    assert all(set(example.relevant) <= passages for example in gold.examples)
    assert any("synthetic" in note for note in notes_of(run))


def test_near_duplicates_of_gold_and_of_other_rows_are_dropped_with_their_reason(tmp_path):
    data = table(tmp_path / "data.csv")
    asked = "could you tell me where the parcel of last week went to"
    (tmp_path / "gold.csv").write_text(f"text,label\n{asked},a\n")
    gold = freeze_once(data, gold=tmp_path / "gold.csv", folder=tmp_path / "gold" / "mine")
    twin = "i would like to know when the shop around the corner opens {}"
    lines = [asked.replace("week", "month"), f"Dear all {asked} please", twin.format("today"), twin.format("tomorrow")]
    data.write_text(data.read_text() + "".join(f"{line},a\n" for line in lines))
    _, files = run_prepare(tmp_path, data=data, gold=gold.folder)
    reasons = {row["line"]: row["reason"] for row in files["dropped"] if row["line"] > 201}
    assert reasons == {
        202: "near duplicate of a gold question",
        203: "contains a gold question",
        205: "near duplicate",
    }


def test_leaks_decides_which_rows_in_gold_are_dropped(tmp_path):
    asked = "could you tell me where the parcel of last week went to"
    data = table(tmp_path / "data.csv")
    data.write_text(data.read_text() + f"{asked},a\n{asked.replace('week', 'month')},a\n")
    (tmp_path / "gold.csv").write_text(f"text,label\n{asked},a\n")
    gold = freeze_once(data, gold=tmp_path / "gold.csv", folder=tmp_path / "gold" / "mine").folder
    steps = []
    for leaks, lines in (("near", [202, 203]), ("exact", [202]), ("keep", [])):
        _, files = run_prepare(tmp_path, leaks, data=data, gold=gold, leaks=leaks, steps=steps)
        assert [row["line"] for row in files["dropped"] if row["line"] > 201] == lines


def test_rows_of_a_group_stay_on_one_side(tmp_path):
    data = tmp_path / "data.csv"
    lines = [f"saying number {i} of {i % 20},a{i % 3},p{i % 20}\n" for i in range(200)]
    data.write_text("text,label,person\n" + "".join(lines))
    _, files = run_prepare(tmp_path, data=data, group_column="person", validation_size=0.3, steps=[])
    people = [{row["messages"][-2]["content"].split()[-1] for row in files[part]} for part in ("train", "validation")]
    assert not people[0] & people[1]
    assert len(people[1]) >= 2
    with pytest.raises(SlmkitError, match=r"'persons'.* text, label, person"):
        run_prepare(tmp_path, "wrong", data=data, group_column="persons")


def test_the_card_records_the_source_the_hash_and_the_counts(tmp_path):
    data = table(tmp_path / "data.csv")
    gold = freeze_once(data, folder=tmp_path / "gold" / "mine")
    run, files = run_prepare(tmp_path, data=data, gold=gold.folder, find_label_suspects=True)
    card = YAML(typ="safe").load(run.path("card.yaml").read_text())
    assert card["source"] == ["data.csv"]
    assert card["sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert card["gold"] == {"name": "mine", "sha256": gold.sha256}
    assert card["rows"]["read"] == card["rows"]["train"] + card["rows"]["validation"] + len(files["dropped"])
    assert sum(card["labels"].values()) == len(files["train"])
    assert run.metrics["num_label_suspects"] == len(read_jsonl(run.path("suspects.jsonl")))


def test_the_card_names_the_licence_and_its_page_escapes_the_rows(tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("text,label\n" + "".join(f"<b>so</b> <script>alert({i})</script>,x{i % 3}\n" for i in range(30)))
    for licence, options in (("not stated", {}), ("CC0", {"licence": "CC0"})):
        run, _ = run_prepare(tmp_path, licence, data=data, **options)
        assert YAML(typ="safe").load(run.path("card.yaml").read_text())["licence"] == licence
    (tmp_path / "LICENSE.txt").write_text("free")
    run, _ = run_prepare(tmp_path, "file", data=data)
    card = YAML(typ="safe").load(run.path("card.yaml").read_text())
    assert card["licence"] == "see LICENSE.txt"
    assert any("HTML" in warning for warning in card["warnings"])
    page = run.path("card.html").read_text()
    assert "<script" not in page and "&lt;script&gt;alert(" in page
    assert (
        card["sha256"] in page
        and "prefers-color-scheme: dark" in page
        and "http" not in page.replace("http-equiv", "")
    )


def test_documents_that_come_with_the_data_are_used(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    rows = [{"input": f"question {i}", "target": f"answer {i}", "slice": {"topic": "x"}} for i in range(40)]
    (made / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (made / "documents.jsonl").write_text('{"id": "rule-1", "text": "an answer has the number of its question."}\n')
    _, files = run_prepare(tmp_path, data=made)
    assert [row["id"] for row in files["documents"]] == ["rule-1"]
    assert freeze_once(made, folder=tmp_path / "gold").examples[0].slice == {"topic": "x"}


def test_text_steps_rewrite_texts_and_record_each_change(tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("question,answer\ncafÃ© &amp; bar at ann@site.org,a &amp; b\nplain,c\n<br>,c\n")
    steps = ["repair_encoding", "clean_html", "mask_pii"]
    run, files = run_prepare(tmp_path, data=data, steps=steps, validation_size=0)
    contents = [message["content"] for message in files["train"][0]["messages"]]
    assert contents[-2:] == ["café & bar at [EMAIL_ADDRESS]", "a & b"]
    assert [row["step"] for row in read_jsonl(run.path("changed.jsonl"))] == steps
    assert [(row["line"], row["reason"]) for row in files["dropped"]] == [(4, "empty after clean_html")]


def test_filtering_steps_are_counted_and_unbalanced_labels_reported(tmp_path):
    data = tmp_path / "data.csv"
    lines = [f"this is the text of number {i},{'ham' if i % 8 else 'spam'}\n" for i in range(160)]
    data.write_text("text,label\n" + "".join(lines) + "hm,spam\n")
    check(data=data, steps=["length"], filters=Filters(min_words=3))
    with pytest.raises(SlmkitError, match="`length`"):
        check(data=data, steps=["length"])
    run, _ = run_prepare(tmp_path, data=data)
    assert any("'ham'" in note and "87%" in note for note in notes_of(run))
    filters = Filters(min_words=3, max_per_label=20)
    run, files = run_prepare(
        tmp_path, "even", data=data, steps=["length", "balance"], filters=filters, validation_size=0
    )
    steps = {row["step"]: row["rows"] for row in read_jsonl(run.path("steps.jsonl"))}
    assert steps["dropped: fewer than 3 words"] == -1
    assert steps["dropped: above 20 rows of its label"] == -120
    assert len(files["train"]) == 40


def test_an_answer_that_is_judged_right_and_wrong_is_kept_and_reported(tmp_path):
    data = tmp_path / "data.jsonl"
    judged = [{"prompt": "Where is it?", "completion": "Here.", "label": label} for label in (True, False)]
    data.write_text("".join(json.dumps(row) + "\n" for row in judged))
    run, files = run_prepare(tmp_path, data=data, validation_size=0)
    assert [row["label"] for row in files["train"]] == [True, False]
    assert len({row["id"] for row in files["train"]}) == 2
    assert any("data.jsonl:1 and" in note and "1 answer judged both ways" in note for note in notes_of(run))


def test_text_steps_do_not_change_labels(tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("text,label\n" + "".join(f"a &amp; b number {i},x &amp; y\n" for i in range(30)))
    _, files = run_prepare(tmp_path, data=data, steps=["clean_html"])
    assert files["train"][0]["messages"][-1]["content"] == "x &amp; y"
    assert files["train"][0]["messages"][-2]["content"].startswith("a & b")


def test_what_unused_steps_would_clean_is_reported_and_left_unchanged(tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("text,label\n" + "".join(f"cafÃ© number {i} &amp; bar at www.site.org,x\n" for i in range(30)))
    run, files = run_prepare(tmp_path, data=data)
    notes = notes_of(run)
    for step in ("repair_encoding", "clean_html"):
        assert any(note.startswith("100.0%") and step in note for note in notes)
    assert not any("mask_pii" in note for note in notes)
    assert any("'x'" in note for note in notes)  # the only label
    assert "cafÃ©" in files["train"][0]["messages"][-2]["content"]


def test_unused_columns_and_values_outside_the_header_are_reported(tmp_path):
    data = tmp_path / "data.csv"
    lines = [f"question {i},x{i % 3},because,,\n" for i in range(30)]
    data.write_text("text,label,remark,,\n" + "".join(lines) + "cut here,x1,because, and on,\n")
    run, _ = run_prepare(tmp_path, data=data)
    assert any(note.startswith("data.csv:") and "remark, column_4" in note for note in notes_of(run))
    assert any(note.startswith("1 ") and "data.csv:32)" in note for note in notes_of(run))


def test_plain_text_can_stay_text(tmp_path):
    (tmp_path / "a.txt").write_text("Words to continue.")
    _, files = run_prepare(tmp_path, data=tmp_path / "a.txt", text_as="text")
    assert files["train"][0]["text"] == "Words to continue."


def test_with_a_model_the_rows_are_checked_against_its_template_and_length(tmp_path):
    run, files = run_prepare(tmp_path, data=table(tmp_path / "data.csv"), model=NANO, validation_size=0)
    mask = read_jsonl(run.path("mask.jsonl"))
    label = files["train"][0]["messages"][-1]["content"]
    assert "".join(row["token"] for row in mask if row["trained"]).replace(" ", "") == f"{label}<|end|>"
    assert [row["token"] for row in mask if row["trained"] and row["special"]] == ["<|end|>"]
    assert 0.05 < run.metrics["trained_share"] < 0.5
    assert run.metrics["max_length"] % 8 == 0
    with pytest.raises(RefusedError, match=r"200 of 200 .*max_length=10"):
        run_prepare(tmp_path, "short", data=tmp_path / "data.csv", model=NANO, max_length=10)


def test_an_untrained_special_token_is_reported_with_a_fix(tmp_path):
    shutil.copytree(NANO.path, tmp_path / "base")
    weights = load_file(tmp_path / "base" / "model.safetensors")
    (name,) = [name for name in weights if name.endswith("embed_tokens.weight")]
    end = AutoTokenizer.from_pretrained(NANO.path).convert_tokens_to_ids("<|end|>")
    weights[name][end] *= 0.01
    save_file(weights, tmp_path / "base" / "model.safetensors", metadata={"format": "pt"})
    base = ModelRef("base", str(tmp_path / "base"))
    run, _ = run_prepare(tmp_path, data=table(tmp_path / "data.csv"), model=base)
    (fault,) = read_jsonl(run.path("template.jsonl"))
    assert "<|end|>" in fault["text"]
    assert any('modules_to_save: ["embed_tokens", "lm_head"]' in note for note in notes_of(run))


def test_rows_above_max_length_are_dropped_on_request(tmp_path):
    data = table(tmp_path / "data.csv", 20)
    data.write_text(data.read_text() + "word " * 200 + ",label_1\n")
    _, files = run_prepare(tmp_path, data=data, model=NANO, max_length=100, on_overflow="drop")
    assert [(row["line"], row["reason"]) for row in files["dropped"]] == [(22, "longer than 100 tokens")]


def test_prepare_on_a_users_file_shows_the_mask_and_uses_its_own_gold(slmkit, project):
    table(project / "mine.csv", 40)
    done = slmkit("prepare", "--show-mask", "data=mine.csv")
    assert done.code == 0, done.err
    shown = done.out.strip().splitlines()
    assert "thing" in shown[-3] and "«" in shown[-3] and shown[-3].endswith("<|end|>»")
    assert "Answer with the one label that fits the text." in shown[-3].replace("  ", " ")
    assert slmkit("gold", "freeze", "data=mine.csv").code == 0
    again = slmkit("prepare", "data=mine.csv", "--json").json
    assert again["metrics"]["num_in_gold"] > 0


def test_the_lengths_and_the_reason_for_max_length_are_reported(tmp_path):
    data = table(tmp_path / "data.csv", 150)
    data.write_text(data.read_text() + "word " * 60 + ",label_1\n")
    run, _ = run_prepare(tmp_path, data=data, model=NANO, on_overflow="drop", steps=[], validation_size=0)
    found = run.metrics
    assert (
        found["length_p50"] <= found["length_p95"] <= found["length_p99"] < found["length_max"] > found["max_length"]
    )
    assert found["max_length"] >= found["length_p99"]
    (note,) = [note for note in notes_of(run) if f"max_length={found['max_length']}" in note]
    assert "99%" in note and "; 1 " in note


def chats(path, exchanges, count=4):
    rows = [
        [
            {"role": role, "content": f"{role} {n} word {i} here"}
            for i in range(exchanges)
            for role in ("user", "assistant")
        ]
        for n in range(count)
    ]
    path.write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    return path


def test_long_chats_are_split_between_exchanges_and_nothing_is_lost(tmp_path):
    data = chats(tmp_path / "data.jsonl", 20)
    options = {"data": data, "model": NANO, "steps": [], "instruction": "Be kind.", "validation_size": 0}
    run, files = run_prepare(tmp_path, **options, max_length=120, on_overflow="split")
    assert run.metrics["length_max"] > 120
    assert 4 < len(files["train"]) <= 4 * 20 / 2
    assert files["dropped"] == []
    pieces = [row["messages"] for row in files["train"]]
    assert all(
        [m["role"] for m in piece[:2]] == ["system", "user"] and piece[-1]["role"] == "assistant" for piece in pieces
    )
    messages = [message for piece in pieces for message in piece[1:]]
    assert messages == [m for line in data.read_text().splitlines() for m in json.loads(line)["messages"]]
    again, _ = run_prepare(tmp_path, "again", **{**options, "data": run.path("train.jsonl")}, max_length=120)
    assert again.metrics["length_max"] <= 120
    assert [row["step"] for row in read_jsonl(run.path("changed.jsonl"))] == ["split"] * 4
    steps = {row["step"]: row["rows"] for row in read_jsonl(run.path("steps.jsonl"))}
    assert steps["read"] + steps["added by splitting"] == steps["train"]


def test_the_pieces_of_a_chat_stay_on_one_side_of_the_split(tmp_path):
    data = chats(tmp_path / "data.jsonl", 20, count=12)
    _, files = run_prepare(
        tmp_path, data=data, model=NANO, steps=[], max_length=120, on_overflow="split", validation_size=0.4
    )
    sides = [{row["messages"][0]["content"].split()[1] for row in files[part]} for part in ("train", "validation")]
    assert sides[0] and sides[1] and not sides[0] & sides[1]


def test_a_single_exchange_above_max_length_is_refused_and_not_truncated(tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("text,label\n" + "".join(f"{'word ' * 200} {i},label_{i % 4}\n" for i in range(20)))
    with pytest.raises(RefusedError, match=r"20 of 20 .*max_length=100"):
        run_prepare(tmp_path, data=data, model=NANO, max_length=100, on_overflow="split", steps=[])


def test_long_texts_are_split_between_sentences_on_request(tmp_path):
    sentences = [f"The sea is calm on day {i}." for i in range(60)]
    (tmp_path / "a.txt").write_text(" ".join(sentences))
    options = {"data": tmp_path / "a.txt", "text_as": "text", "model": NANO, "validation_size": 0}
    _, whole = run_prepare(tmp_path, "whole", **options)
    assert len(whole["train"]) == 1
    _, cut = run_prepare(tmp_path, "cut", **options, max_length=64, on_overflow="split")
    assert len(cut["train"]) > 5
    assert " ".join(" ".join(row["text"].split()) for row in cut["train"]) == " ".join(sentences)


def test_gold_that_contains_all_rows_is_refused(tmp_path):
    data = table(tmp_path / "data.csv")
    gold = freeze_once(data, gold=data, folder=tmp_path / "gold" / "mine")
    with pytest.raises(SlmkitError, match="200 in the gold set"):
        run_prepare(tmp_path, data=data, gold=gold.folder)


def test_the_pre_flight_check_finds_mistakes_before_the_run(tmp_path):
    data = table(tmp_path / "data.csv")
    gold = freeze_once(data, folder=tmp_path / "gold" / "mine")
    check(data=data, gold=gold.folder)
    check(data=tmp_path / "runs" / "made" / "later")
    with pytest.raises(SlmkitError, match="'lable'"):
        check(data=data, label_column="lable")
    with pytest.raises(SlmkitError, match="validation_size=10"):
        check(data=data, validation_size=10)
    (gold.folder / "examples.jsonl").write_text("")
    with pytest.raises(RefusedError):
        check(data=data, gold=gold.folder)
    data.write_text(data.read_text() + "a,ragged,row\n")
    with pytest.raises(SlmkitError, match=r"data\.csv:202"):
        check(data=data)


def test_banking77_keeps_its_labels(tmp_path, shared_data):
    banking = shared_data / "banking77"
    gold = freeze_once(banking / "train.csv", gold=banking / "test.csv", folder=tmp_path / "gold" / "banking77")
    run, files = run_prepare(tmp_path, data=banking / "train.csv", gold=gold.folder)
    labels = {row["messages"][-1]["content"] for row in files["train"]}
    assert labels == set(json.loads((banking / "categories.json").read_text()))
    rows_out = len(files["train"]) + len(files["validation"]) + len(files["dropped"])
    assert rows_out == run.metrics["num_rows_in"] == 10003


def test_a_tokenizer_saved_with_truncation_measures_whole_texts(tmp_path):
    shutil.copytree(NANO.path, tmp_path / "base")
    file = tmp_path / "base" / "tokenizer.json"
    saved = json.loads(file.read_text())
    saved["truncation"] = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}
    file.write_text(json.dumps(saved))
    texts = [f"the cat of kerana number {i} is a quiet one. " * 9 for i in range(30)]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    given = {"data": tmp_path / "texts.jsonl", "text_as": "text", "steps": []}
    counted = [
        run_prepare(tmp_path, name=name, model=ref, **given)[0].metrics["length_max"]
        for name, ref in (("cut", ModelRef("base", str(tmp_path / "base"))), ("whole", NANO))
    ]
    assert counted[0] == counted[1] > 50
