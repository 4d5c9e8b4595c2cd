from slmkit.report.formatting import bounds, duration, memory, number, p_value, percent, score, signed, when


def test_numbers_show_their_significant_digits():
    values = [0.86453, 12345, 2e-5, 98.61, 4.2, 4.0, 0.0, 1234.5, None, True, float("nan")]
    assert [number(value) for value in values] == [
        "0.865", "12,345", "2e-05", "98.6", "4.20", "4", "0", "1,234", "–", "yes", "not a number"]  # fmt: skip
    assert (signed(0.12), signed(-0.03), percent(0.985)) == ("+0.120", "−0.030", "98.5%")
    assert (signed(-0.0004), signed(0.0004), signed(-0.0006), score(-0.0001)) == ("0.000", "0.000", "−0.001", "0.000")
    assert (score(1.0), score(0), score(12345)) == ("1.000", "0.000", "12,345")


def test_a_p_value_is_never_zero():
    assert p_value(0.0) == "< 0.001" and p_value(0.0316) == "0.032"


def test_times_use_a_readable_unit():
    shown = [duration(seconds) for seconds in (0.0031, 0.25, 12.44, 200, 7500)]
    assert shown == ["3.1 ms", "250 ms", "12.4 s", "3 min 20 s", "2 h 5 min"]
    assert when("2026-03-01T15:05:00+01:00") == "2026-03-01 14:05 UTC" and when("soon") == "soon"


def test_memory_is_in_mb_or_gb():
    assert [memory(value) for value in (512_400_000, 999_600_000, 1_240_000_000, None)] == [
        "512 MB", "1.0 GB", "1.2 GB", "–"]  # fmt: skip


def test_bounds_are_written_in_words():
    assert [bounds(0.9, None), bounds(None, 3), bounds(0.4, 0.6)] == [
        "at least 0.900", "at most 3", "between 0.400 and 0.600"]  # fmt: skip
