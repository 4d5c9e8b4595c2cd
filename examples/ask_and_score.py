"""A gold set, a system and a metric without a recipe. Run: python examples/ask_and_score.py"""

import slmkit

gold = slmkit.read_gold("skills")
for model in ("nano", "tiny"):
    answers = slmkit.ask("prompt", gold, limit=40, model=model)
    print(
        f"{model}: exact match {slmkit.score(answers, gold)}, F1 {slmkit.score(answers, gold, metric='f1').value:.3f}"
    )
print(f"{gold.examples[0].input!r} -> {answers[0].text!r} ({answers[0].completion_tokens} tokens)")
