"""Languages are identified by script and by common words."""

import unicodedata

import pytest

from slmkit.data.cleaning.language import find_language, identify_language


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "How do I know if the card that you sent to me is on the way?"),
        ("de", "Wie lange dauert es, bis die Karte bei mir ist und ich sie benutzen kann?"),
        ("fr", "Je ne sais pas si la carte est en route, et je ne l'ai pas dans le courrier."),
        ("es", "No sé si la tarjeta que me enviaron está en camino, y no la tengo en el buzón."),
        ("it", "Non so se la carta che mi hanno mandato è in viaggio, e non la ho ancora."),
        ("pt", "Não sei se o cartão que me enviaram está a caminho, e não o tenho em casa."),
        ("ru", "Где моя новая карта?"),
        ("ja", "カードはいつ届きますか。"),
        ("zh", "我的新卡什么时候到？"),
        ("ja", "ｶｰﾄﾞﾊｲﾂﾄﾄﾞｷﾏｽｶ"),
        ("en", "Ｈｏｗ　ｄｏ　ｙｏｕ　ｆｉｎｄ　ｔｈｅ　ｃａｒｄ　ｏｆ　ｔｈｅ　ｂａｎｋ？"),
        ("vi", unicodedata.normalize("NFD", "Thẻ của tôi là một trong những thẻ không được nhận")),
        (None, "0x1f 22 !!"),
        (None, "zxq vbn qwrt plk mnb"),
    ],
)
def test_the_language_is_identified_or_unclear(language: str | None, text: str) -> None:
    assert find_language([text]) == language


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("nl", "Waar is mijn nieuwe kaart gebleven?"),
        ("pl", "Gdzie jest moja nowa karta?"),
        ("uk", "Де моя нова картка і коли вона прийде?"),
        ("en", "freeze my card"),
        (None, "ok"),
        (None, "zxq vbn qwrt plk mnb"),
    ],
)
def test_py3langid_identifies_more_languages(language: str | None, text: str) -> None:
    pytest.importorskip("py3langid")
    assert identify_language(text) == language
