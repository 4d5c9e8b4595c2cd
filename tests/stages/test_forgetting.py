"""What a fine-tune gains and loses: the same questions before and after, on the new task and on what must be kept."""

import pytest
from project_files import REPOSITORY

from slmkit.bind import Part
from slmkit.errors import SlmkitError
from slmkit.run import Run
from slmkit.stages.forgetting import check, forgetting
from slmkit.types import Answer


class Saying:
    """A system that is right on the gold sets it is told, and silent elsewhere."""

    def __init__(self, task, *, known):
        self.name, self.right = "saying", task.name in known

    def answer(self, examples, *, on_answer=None):
        answers = [Answer(e.id, e.target if self.right else "", stopped=True) for e in examples]
        for answer in answers:
            if on_answer:
                on_answer(answer)
        return answers


def knowing(*known):
    return Part("systems", "saying", Saying, {"known": known})


GOLD = REPOSITORY / "gold"


def test_gain_and_loss_are_told_apart_and_the_loss_is_held_against_its_limit(tmp_path):
    run = Run(tmp_path / "run", name="forgetting")
    forgetting(
        run,
        before=knowing("reading", "skills"),
        after=knowing("tickets", "skills"),
        gold=GOLD / "tickets",
        keep=[GOLD / "reading", GOLD / "skills"],
        limit=20,
        max_loss=0.1,
    )
    assert run.metrics["score"].value == run.metrics["gained"].value == 1.0
    assert run.metrics["reading_change"].value == -1.0
    assert run.metrics["skills_change"].value == 0.0
    assert run.metrics["forgotten"] == 1.0
    assert "reading loses most, -1.000" in run.verdict_text
    assert not run.verdict_positive


@pytest.mark.parametrize(("keep", "told"), [([], "what is to be kept"), ([GOLD / "tickets"], "named twice")])
def test_a_comparison_that_says_nothing_is_refused(keep, told):
    with pytest.raises(SlmkitError, match=told):
        check(before=knowing(), after=knowing(), gold=GOLD / "tickets", keep=keep, limit=None)
