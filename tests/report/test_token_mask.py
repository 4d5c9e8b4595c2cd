"""The mask of a row: learnt tokens are marked, special ones visible, and no text of a row becomes markup."""

from slmkit.report import write_report
from slmkit.report.token_mask import as_colours, as_lines, stretches
from slmkit.runs.run import Run

ROWS = [
    {"token": "<|user|>", "trained": False, "special": True},
    {"token": "hi", "trained": False, "special": False},
    {"token": " <b>you</b>", "trained": False, "special": False},
    {"token": "ca", "trained": True, "special": False},
    {"token": "rd", "trained": True, "special": False},
    {"token": "<|end|>", "trained": True, "special": True},
]


def test_without_colours_what_is_learnt_stands_between_marks():
    assert as_lines(stretches(ROWS)) == "<|user|>hi <b>you</b>«card<|end|>»"


def test_with_colours_the_learnt_end_differs_from_other_special_tokens():
    text = as_colours(stretches(ROWS))
    styles = {text.plain[span.start : span.end]: str(span.style) for span in text.spans}
    assert len({styles[piece] for piece in ("<|user|>", "hi <b>you</b>", "card", "<|end|>")}) == 4


def test_the_report_shows_the_mask_and_escapes_the_row(make_run, parse):
    run_dir = make_run()
    Run(run_dir).table("mask", ROWS)
    page = parse(write_report(run_dir).read_text())
    kinds = [a["class"] for tag, a in page.elements if tag == "span" and a.get("class", "").startswith("token ")]
    assert kinds[4:] == ["token special", "token read", "token trained", "token end"]
    assert "hi <b>you</b>card<|end|>" in page.text
