"""The loss mask of a row: trained tokens are marked, special tokens visible, and text is never markup."""

from slmkit.report import write_report
from slmkit.report.token_mask import colored_mask, mask_spans, plain_mask
from slmkit.runs.run_folder import Run

ROWS = [
    {"token": "<|user|>", "trained": False, "special": True},
    {"token": "hi", "trained": False, "special": False},
    {"token": " <b>you</b>", "trained": False, "special": False},
    {"token": "ca", "trained": True, "special": False},
    {"token": "rd", "trained": True, "special": False},
    {"token": "<|end|>", "trained": True, "special": True},
]


def test_plain_text_marks_the_tokens_with_loss():
    assert plain_mask(mask_spans(ROWS)) == "<|user|>hi <b>you</b>«card<|end|>»"


def test_colors_distinguish_the_trained_end_token_from_other_special_tokens():
    text = colored_mask(mask_spans(ROWS))
    styles = {text.plain[span.start : span.end]: str(span.style) for span in text.spans}
    assert len({styles[piece] for piece in ("<|user|>", "hi <b>you</b>", "card", "<|end|>")}) == 4


def test_the_report_shows_the_mask_and_escapes_the_row(make_run, parse):
    run_dir = make_run()
    Run(run_dir).table("mask", ROWS)
    page = parse(write_report(run_dir).read_text())
    kinds = [a["class"] for tag, a in page.elements if tag == "span" and a.get("class", "").startswith("token ")]
    assert kinds[4:] == ["token special", "token context", "token trained", "token end"]
    assert "hi <b>you</b>card<|end|>" in page.text
