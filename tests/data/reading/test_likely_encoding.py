"""A few words outside ASCII are read in the likeliest encoding; the note shows them and how other encodings read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading_files import fault, values, write

from slmkit.data.reading.likely_encoding import ranked_encodings
from slmkit.data.reading.read import read_rows

WORDS = {
    "cp1252": ["the café is closed", "Müller wohnt in München", "El niño comió", "São Paulo não é aqui", "it costs £5",
               "“quoted” text", "Straße 5", "Þetta er íslenska já", "don’t do that", "20° in the sun", "ÉCOLE FERMÉE"],
    "cp1254": ["yeni şehir planı", "İstanbul'da yağmur yağıyor", "ağaç", "değil", "Işık kapalı", "GÜNEŞLİ"],
    "cp1250": ["Gdzie jest moja kartę łódź", "Příliš žluťoučký kůň", "őrült", "źdźbło"],
    "cp1251": ["привет", "Где карта?", "Москва", "нет", "Де моя картка? їжак"],
    "koi8-r": ["привет", "Где карта?", "Москва", "нет", "Привет, Иван"],
    "cp1253": ["Πού είναι η κάρτα μου;", "Αθήνα", "ναι"],
    "cp1255": ["שלום", "איפה הכרטיס שלי", "תודה רבה", "ירושלים"],
    "cp1256": ["مرحبا", "أين بطاقتي", "نعم"],
    "mac_roman": ["le café est fermé", "Müller wohnt in München"],
}  # fmt: skip


@pytest.mark.parametrize(("encoding", "text"), [(name, text) for name, texts in WORDS.items() for text in texts])
def test_one_row_is_read_in_the_likeliest_encoding(tmp_path, encoding, text):
    path = write(tmp_path / "a.csv", f"text\tlabel\n{text}\tx\n".encode(encoding))
    assert values(path)[0]["text"] == text


def test_a_guess_from_little_text_is_shown_beside_the_others_and_how_to_choose_them(tmp_path):
    notes = []
    values(write(tmp_path / "a.csv", "text,label\nyeni şehir,x\n".encode("cp1254")), notes)
    assert "read as cp1254, a guess from 1 byte: 'şehir'" in notes[0]
    assert "encoding=cp1250 reads 'ţehir'" in notes[0]
    notes.clear()
    values(write(tmp_path / "a.csv", ("text,label\n" + "yeni şehir planı,x\n" * 40).encode("cp1254")), notes)
    assert "read as cp1254, a guess: 'şehir'. If that is wrong: encoding=cp1252 reads 'þehir'" in notes[0]


@given(st.binary(max_size=40))
def test_any_bytes_are_ranked_and_every_encoding_reads_them(sample):
    for encoding in ranked_encodings(sample):
        sample.decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_byte_order_mark_is_refused_with_the_encoding_that_reads_it(tmp_path, encoding):
    path = write(tmp_path / "a.jsonl", '{"text": "déjà vu", "label": "x"}\n'.encode(encoding))
    fix = fault(path).fix
    assert f"encoding={encoding}," in fix
    [row] = read_with(path, encoding)
    assert row == {"text": "déjà vu", "label": "x"}


@pytest.mark.parametrize(
    ("named", "written"), [("utf-8", "utf-8-sig"), ("utf8", "utf-8-sig"), ("utf-16-le", "utf-16"), ("auto", "utf-32")]
)
def test_a_byte_order_mark_is_skipped_whatever_the_encoding_is_called(tmp_path, named, written):
    path = write(tmp_path / "a.csv", "text,label\ndéjà vu,x\n".encode(written))
    assert read_with(path, named) == [{"text": "déjà vu", "label": "x"}]


def read_with(path, encoding):
    return [row.values for row in read_rows(path, encoding=encoding)]


@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        ("cp1251", "отмена"), ("koi8-r", "отмена"), ("cp932", "キャンセル"), ("cp932", "取消"),
        ("euc_jp", "こんにちは世界"),
        ("gb18030", "取消"), ("gb18030", "你好世界"), ("cp949", "취소"), ("big5", "你好世界"),
    ],
)  # fmt: skip
def test_a_foreign_label_amid_english_is_read_in_its_encoding_and_shown(tmp_path, encoding, word):
    lines = "".join(f"please look at order {i} of the red lamp,{word if i % 3 else 'refund'}\n" for i in range(150))
    notes = []
    rows = values(write(tmp_path / "a.csv", f"text,label\n{lines}".encode(encoding)), notes)
    assert {row["label"] for row in rows} == {word, "refund"}
    assert f"read as {encoding}, a guess: {word!r}" in notes[0]
