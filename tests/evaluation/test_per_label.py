from slmkit.evaluation.per_label import label_rows
from slmkit.types import Answer, Example


def test_label_rows_name_what_a_label_is_taken_for_the_worst_first():
    examples = [Example(str(i), "", target) for i, target in enumerate(("Oak", "Oak", "Elm"))]
    answers = [Answer(example.id, "elm") for example in examples]
    worst, best = label_rows(examples, answers)
    assert worst == {
        "label": "Oak",
        "n": 2,
        "f1": 0.0,
        "precision": 0.0,
        "recall": 0.0,
        "taken_for": "Elm",
        "times": 2,
    }
    assert best["label"] == "Elm" and best["taken_for"] == ""
