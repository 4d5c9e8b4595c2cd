"""Personal data between words that no space separates from it."""

import pytest

from slmkit.data.cleaning.mask_pii import mask_pii


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("我的邮箱是anna@example.com谢谢", "我的邮箱是[EMAIL_ADDRESS]谢谢"),
        ("写信到王@例子.公司", "[EMAIL_ADDRESS]"),  # the address may be in that script too
        ("电话是+44 20 7946 0958。", "电话是[PHONE_NUMBER]。"),
        ("电话555-010-0123号", "电话[PHONE_NUMBER]号"),
        ("โทร(555) 010-0123ครับ", "โทร[PHONE_NUMBER]ครับ"),
        ("IBANはDE89370400440532013000です", "IBANは[IBAN_CODE]です"),
        ("网站www.example.com很好", "网站[DOMAIN_NAME]很好"),
        ("见https://example.com/a？", "见[DOMAIN_NAME]？"),
        ("第3-5章，2024年", "第3-5章，2024年"),
    ],
)
def test_personal_data_beside_letters_without_a_space_is_masked(text, masked):
    assert mask_pii(text) == masked
