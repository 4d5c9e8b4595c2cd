"""The text steps repair encodings, strip HTML and mask personal data, and leave other text unchanged."""

import json
from collections import Counter

import pytest

from slmkit.data.cleaning.clean_html import clean_html, main_text
from slmkit.data.cleaning.mask_pii import find_pii, mask_pii
from slmkit.data.reading.repair_encoding import repair_encoding


@pytest.mark.parametrize(("name", "count"), [("in-the-wild", 70), ("synthetic", 30), ("negative", 31)])
def test_mojibake_is_repaired_as_expected(shared_data, name, count):
    cases = json.loads((shared_data / "text_faults" / f"ftfy_{name}.json").read_text())
    assert len(cases) == count
    for case in cases:
        assert repair_encoding(case["original"]) == case.get("fixed-encoding", case["fixed"]), case["label"]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Fish &amp; chips<br>today", "Fish & chips\ntoday"),
        ("&amp;lt;3 you", "<3 you"),
        ("<p>One  <b>two</b></p>", "One two"),
        ("if a < b and List<T> > c", "if a < b and List<T> > c"),
        ("AT&T, R&D; done", "AT&T, R&D; done"),
    ],
)
def test_html_is_removed_and_code_stays(text, clean):
    assert clean_html(text) == clean


PAGE = (
    "<html><body><nav><a href=/>Home</a></nav><article><h1>Opening hours</h1><p>The shop opens at nine in the morning "
    "on every day of the week.</p><p>It closes at six, except on Sundays.</p></article><footer>Us</footer></html>"
)
PAGE_TEXT = """\
Opening hours
The shop opens at nine in the morning on every day of the week.
It closes at six, except on Sundays."""


def test_main_text_drops_the_menu_and_the_footer_of_a_page():
    pytest.importorskip("trafilatura")
    assert main_text(PAGE) == PAGE_TEXT
    assert main_text("Fish &amp; chips<br>today") == clean_html("Fish &amp; chips<br>today")


def test_awkward_strings_survive_cleaning(shared_data):
    for text in json.loads((shared_data / "text_faults" / "blns.json").read_text()):
        for clean in (clean_html, repair_encoding, mask_pii):
            assert isinstance(clean(text), str)
        assert mask_pii(mask_pii(text)) == mask_pii(text)


def test_personal_data_is_masked_by_type():
    text = "Write to ann@site.org or +44 20 7946 0958, card 4111 1111 1111 1111, IBAN GB82 WEST 1234 5698 7654 32."
    assert mask_pii(text) == "Write to [EMAIL_ADDRESS] or [PHONE_NUMBER], card [CREDIT_CARD], IBAN [IBAN_CODE]."


LOOK_ALIKES = ("card 4111 1111 1111 1112", "IBAN GB83 WEST 1234 5698 7654 32", "in 1914-1918", "10 000 000 people",
               "version 1.2.3.4567", "on 2024-01-31", "$1 200 500")  # fmt: skip


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_numbers_that_only_look_like_personal_data_stay(text):
    assert mask_pii(text) == text


def test_recall_and_precision_by_type_on_labelled_sentences(shared_data):
    found, right, known = Counter(), Counter(), Counter()
    for row in json.loads((shared_data / "pii_synthetic" / "synth_dataset_v2.json").read_text()):
        spans = find_pii(row["full_text"])
        of_type = {(s["start_position"], s["end_position"], s["entity_type"]) for s in row["spans"]}
        known.update(kind for _, _, kind in of_type)
        for span in spans:
            found[span.type] += 1
            hits = (start < span.stop and span.start < stop and kind == span.type for start, stop, kind in of_type)
            right[span.type] += any(hits)
    assert right["PHONE_NUMBER"] / known["PHONE_NUMBER"] >= 0.65  # local numbers have no form of their own
    for type in ("EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS", "DOMAIN_NAME"):
        assert right[type] / known[type] == 1.0, type
    for type, count in found.items():
        assert right[type] / count >= 0.97, type
