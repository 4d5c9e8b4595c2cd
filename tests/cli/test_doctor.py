"""slmkit doctor: the tested versions."""

from slmkit.cli.doctor import pinned


def test_a_pin_is_read_without_its_comment_and_marker():
    text = "# versions\ntyper==0.28.0  # 0.29 is slower\ntorch==2.9.0 ; python_version > '3'\nloose>=1\n"
    assert pinned(text) == {"typer": "0.28.0", "torch": "2.9.0"}
