"""The verdict finds planted differences, and none between equal systems."""

import random

import pytest

from slmkit.evaluation import verdict as module
from slmkit.evaluation.verdict import ScoredArm, conclude, flipped_slices


def drawn(rate: float, n: int = 200, seed: int = 0) -> list[float]:
    rng = random.Random(seed)
    return [float(rng.random() < rate) for _ in range(n)]


def test_a_clear_winner_is_chosen_with_its_lead():
    arms = [ScoredArm("prompt", drawn(0.2), 1.0, True), ScoredArm("tuned", drawn(0.95, seed=1), 2.0)]
    verdict = conclude(arms)
    assert (verdict.chosen, verdict.best, verdict.reference, verdict.is_enough) == ("tuned", "tuned", "prompt", True)
    assert verdict.differences["tuned"].low > 0.5
    assert verdict.differences["tuned"].p_value < 1e-9
    lead = verdict.differences["tuned"]
    assert f"{lead.value:+.3f} [{lead.low:+.3f}, {lead.high:+.3f}]" in verdict.text and "n=200" in verdict.text


def test_the_cheaper_of_two_equal_systems_is_chosen():
    same = drawn(0.9)
    verdict = conclude([ScoredArm("prompt", same, 1.0, True), ScoredArm("tuned", same, 5.0)])
    assert verdict.chosen == "prompt"
    assert verdict.is_enough


def test_of_similar_costs_the_system_named_first_is_chosen():
    same = drawn(0.9)
    assert conclude([ScoredArm("prompt", same, 1.1, True), ScoredArm("tuned", same, 1.0)]).chosen == "prompt"
    assert conclude([ScoredArm("prompt", same, 1.3, True), ScoredArm("tuned", same, 1.0)]).chosen == "tuned"


def test_with_too_few_items_the_verdict_has_the_number_of_items_needed():
    a, b = [1.0] * 12 + [0.0] * 8, [1.0] * 15 + [0.0] * 5
    verdict = conclude([ScoredArm("prompt", a, 1.0, True), ScoredArm("tuned", b, 5.0)])
    assert not verdict.is_enough
    assert verdict.more_items > 20
    assert f" {verdict.more_items:,} more items" in verdict.text


def test_the_items_asked_for_are_enough_to_decide():
    rng = random.Random(5)
    short = [ScoredArm("prompt", drawn(0.7, 40, 1), 1.0, True), ScoredArm("tuned", drawn(0.8, 40, 2), 5.0)]
    verdict = conclude(short)
    assert not verdict.is_enough
    n = 40 + verdict.more_items
    decided = [
        conclude(
            [
                ScoredArm("prompt", drawn(short[0].mean, n, rng.random()), 1.0, True),
                ScoredArm("tuned", drawn(short[1].mean, n, rng.random()), 5.0),
            ]
        ).is_enough
        for _ in range(40)
    ]
    assert sum(decided) / 40 >= 0.7


def test_a_bar_that_no_system_reaches_gives_a_negative_verdict():
    arms = [ScoredArm("prompt", drawn(0.2), 1.0, True), ScoredArm("tuned", drawn(0.5, seed=1), 2.0)]
    assert not conclude(arms, bar=0.9).is_positive
    assert " 0.9:" in conclude(arms, bar=0.9).text and "tuned" in conclude(arms, bar=0.9).text
    assert conclude(arms, bar=0.3).is_positive


def test_a_cheap_system_below_the_bar_is_not_chosen_if_another_reaches_it():
    arms = [ScoredArm("prompt", [1.0] * 17 + [0.0] * 3, 1.0, True), ScoredArm("tuned", [1.0] * 18 + [0.0] * 2, 5.0)]
    assert conclude(arms, bar=0.9).chosen == "tuned"


@pytest.mark.long
def test_equal_systems_are_rarely_found_to_differ(monkeypatch):
    """A against A: at most 5% of verdicts over five equal systems claim any difference."""
    monkeypatch.setattr(module, "items_needed", lambda *_, **__: 1)  # four fifths of the time, and not tested here
    monkeypatch.setattr(module, "detectable_difference", lambda *_, **__: 0.0)
    false = 0
    for draw in range(150):
        rng = random.Random(draw)
        hard = [rng.random() < 0.4 for _ in range(100)]  # items that are hard for all systems: scores are correlated
        arms = [
            ScoredArm(f"arm {i}", [float(rng.random() < (0.4 if h else 0.9)) for h in hard], 2.0**i, i == 0)
            for i in range(5)
        ]
        verdict = conclude(arms)
        false += any(difference.p_value < 0.05 for difference in verdict.differences.values())
        false += verdict.chosen != "arm 0" and verdict.is_enough
    assert false / 150 <= 0.05


def test_a_slice_on_which_another_system_is_better_is_named():
    slices = [{"topic": "billing"}] * 100 + [{"topic": "delivery"}] * 100
    ours = ScoredArm("tuned", [1.0] * 95 + [0.0] * 5 + [1.0] * 40 + [0.0] * 60, 1.0)
    other = ScoredArm("rag", [1.0] * 60 + [0.0] * 40 + [1.0] * 70 + [0.0] * 30, 2.0)
    [flip] = flipped_slices([ours, other], "tuned", slices)
    assert "topic=delivery (n=100)" in flip and "rag" in flip and "+0.300 [" in flip
    assert flipped_slices([ours, other], "rag", [{"topic": "billing"}] * 200) == []


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_systems_give_a_whole_sentence(count):
    arms = [ScoredArm("prompt", drawn(0.5), 1.0, True), ScoredArm("rag", drawn(0.5, seed=3), 3.0)][:count]
    assert conclude(arms).text.endswith(".")


def test_if_no_answer_is_right_no_system_is_recommended():
    verdict = conclude(
        [ScoredArm("majority", [0.0] * 50, 0.0, is_floor=True), ScoredArm("prompt", [0.0] * 50, 1.0, True)]
    )
    assert not verdict.is_positive
    assert "n=50" in verdict.text and "prompt" not in verdict.text and "majority" not in verdict.text


def test_a_system_has_to_beat_the_baseline():
    floor = ScoredArm("majority", drawn(0.5), 0.0, is_floor=True)
    verdict = conclude([floor, ScoredArm("prompt", drawn(0.5, seed=2), 1.0, True)])
    assert not verdict.is_positive
    assert "majority" in verdict.text
    assert conclude([floor, ScoredArm("prompt", drawn(0.9, seed=1), 1.0, True)]).is_positive


def test_many_questions_on_few_documents_are_not_enough_data():
    a, b = [1.0] * 12 + [0.0] * 48, [1.0] * 24 + [0.0] * 36
    arms = [ScoredArm("prompt", a, 1.0, True), ScoredArm("tuned", b, 5.0)]
    assert conclude(arms).is_enough
    by_document = conclude(arms, clusters=[f"d{i // 12}" for i in range(60)])
    assert not by_document.is_enough
    assert by_document.detectable > conclude(arms).detectable


def test_a_loss_smaller_than_the_repeat_run_noise_is_ignored():
    arms = [ScoredArm("prompt", drawn(0.8), 1.0, True), ScoredArm("tuned", [min(1.0, s + (i % 5 == 0)) for i, s in
            enumerate(drawn(0.8))], 5.0)]  # fmt: skip
    assert conclude(arms, margin=0.1).chosen == "tuned"
    assert conclude(arms, margin=0.1, noise=0.1).chosen == "prompt"


def test_no_more_items_are_asked_for_if_the_loss_is_within_the_noise():
    same = [1.0] * 1300 + [0.0] * 500
    arms = [ScoredArm("prompt", [*same, *[0.0] * 200], 1.0, True), ScoredArm("tuned", [*same, *[1.0] * 200], 5.0)]
    verdict = conclude(arms, noise=0.12)
    assert (verdict.chosen, verdict.is_enough, verdict.more_items) == ("prompt", True, 0)
    assert "-0.100 [" in verdict.text
    assert conclude(arms).chosen == "tuned"


def test_the_detectable_difference_does_not_depend_on_which_system_leads():
    weak, strong = drawn(0.3), drawn(0.8, seed=1)
    leads = conclude([ScoredArm("prompt", strong, 1.0, True), ScoredArm("tuned", weak, 2.0)])
    follows = conclude([ScoredArm("prompt", weak, 1.0, True), ScoredArm("tuned", strong, 2.0)])
    assert leads.detectable == follows.detectable > 0.1


def test_one_slice_among_sixty_is_found():
    slices = [{"part": str(i // 20)} for i in range(1200)]
    ours = [0.9] * 1200
    other = [0.05] * 1180 + [1.0] * 20
    arms = [ScoredArm("ours", ours, 1.0, True), *(ScoredArm(f"other {i}", other, 1.0) for i in range(4))]
    [flip] = flipped_slices(arms, "ours", slices)
    assert "part=59 (n=20)" in flip and "other 0" in flip and "+0.100" in flip


def test_a_difference_that_is_not_significant_after_correction_has_the_number_of_comparisons():
    ahead, behind = [1.0] * 95 + [0.0] * 5, [1.0] * 87 + [0.0] * 13
    arms = [ScoredArm("cheap", behind, 1.0, True), ScoredArm("costly", ahead, 5.0)]
    floors = [ScoredArm(f"floor {i}", [0.0] * 100, 9.0) for i in range(6)]
    assert conclude(arms).chosen == "costly"
    corrected = conclude([*arms, *floors])
    assert not corrected.is_enough and " 28 " in corrected.text


def test_an_interval_without_zero_beside_a_choice_that_ignores_it_is_explained():
    """The margin is wide, so there is enough data, and the loss is significant only before correction."""
    ahead, behind = [1.0] * 95 + [0.0] * 5, [1.0] * 87 + [0.0] * 13
    arms = [ScoredArm("cheap", behind, 1.0, True), ScoredArm("costly", ahead, 5.0)]
    floors = [ScoredArm(f"floor {i}", [0.0] * 100, 9.0) for i in range(6)]
    text = conclude([*arms, *floors], margin=0.5).text
    assert text.startswith("Use cheap.") and "not significantly worse" in text
    assert "not significant among 28 comparisons (p = " in text
