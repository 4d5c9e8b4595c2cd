"""In a terminal, data whose gold set has another's name are asked about; in a script the error names both ways."""

import io
from pathlib import Path

import pytest
from project_files import write

from slmkit.cli.ask_gold import gold_or_ask
from slmkit.console import console
from slmkit.gold.frozen_from import OtherDataError
from slmkit.gold.own_gold import freeze_gold_of

ROWS = "text,label\n" + "".join(f"my thing {i} is {i * 7 % 100},kind {i % 4}\n" for i in range(100))


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def data(project: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    freeze_gold_of({"data": str(write(project / "mail.csv", ROWS).relative_to(project))})
    write(project / "other/mail.csv", ROWS.replace("thing", "matter"))
    monkeypatch.setattr(console, "quiet", False)
    return "other/mail.csv"


@pytest.mark.parametrize(
    ("typed", "gold"), [("1\n", "gold/mail"), ("maybe\n\n2\n", "gold/other-mail"), ("2\n", "gold/other-mail")]
)
@pytest.mark.parametrize("recipe", ["loop/compare", "loop/prepare"])
def test_a_terminal_is_asked_which_gold_set_the_data_belong_to(
    data: str, recipe: str, typed: str, gold: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", _Terminal(typed))
    monkeypatch.setattr("sys.stderr", _Terminal())
    assert gold_or_ask(recipe, {"data": data}) == {"data": data, "gold": gold}
    assert Path(gold, "card.yaml").is_file()


@pytest.mark.parametrize("stdin", [io.StringIO("1\n"), _Terminal("")])
def test_where_nobody_answers_the_error_names_both_ways(
    data: str, stdin: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    monkeypatch.setattr("sys.stderr", _Terminal())
    with pytest.raises(OtherDataError) as refused:
        gold_or_ask("loop/compare", {"data": data})
    assert "add gold=mail" in refused.value.fix and "name=other-mail" in refused.value.fix
