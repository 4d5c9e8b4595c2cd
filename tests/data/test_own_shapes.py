"""Files as they are published elsewhere, invented here: read as they are meant, by these words on the command line.

No file needs a script. Each row of SHAPES is a file, the words, the sentence that says how it was read, the number of
rows, and the first input and target.
"""

import csv
import json
import shlex

import pytest

from slmkit.cli.arguments import parse
from slmkit.data.read_canonical import read_canonical

TOOLS = [{"name": "rain", "description": "Rain in a city", "parameters": {"city": {"type": "str"}}}]
ARTICLE = {
    "titel": "Ulm",
    "absaetze": [
        {"text": "Ulm liegt an der Donau.",
         "fragen": [{"frage": "Wo liegt Ulm?", "antworten": [{"wort": "an der Donau"}, {"wort": "Donau"}]},
                    {"frage": "Was liegt da?", "antworten": [{"wort": "Ulm"}]}]},
        {"text": "Bern hat Bären.", "fragen": [{"frage": "Was hat Bern?", "antworten": [{"wort": "Bären"}]}]},
    ],
}  # fmt: skip
STORY = {
    "story": "Bo ran home.",
    "questions": [{"input_text": "Who ran?"}, {"input_text": "Where to?"}],
    "answers": [{"input_text": "Bo"}, {"input_text": "home"}],
}
REPORT = {
    "table": {"uid": "t1", "table": [["", "2019"], ["Sales", 7]]},
    "questions": [{"question": "Sales?", "answer": ["7"]}, {"question": "Which year?", "answer": "2019"}],
}
SQUAD_LIKE = (
    "text_column=data.absaetze.fragen.frage label_column=data.absaetze.fragen.antworten.wort "
    "passage_column=data.absaetze.text answers_are=alternatives"
)

SHAPES = {
    "assistant.jsonl": (  # two label columns, as in MASSIVE
        [{"utt": f"wake me at {i}", "scenario": "alarm", "intent": "alarm_set", "locale": "en"} for i in range(9)],
        "text_column=utt label_column=[scenario,intent]",
        "inputs in 'utt', answers in 'scenario' and 'intent' as one record",
        9, "wake me at 0", '{"scenario": "alarm", "intent": "alarm_set"}',
    ),
    "one_label.jsonl": (
        [{"utt": f"wake me at {i}", "scenario": "alarm", "intent": f"set{i % 2}"} for i in range(9)],
        "text_column=utt label_column='{scenario}/{intent}'",
        "texts in 'utt', labels in '{scenario}/{intent}'",
        9, "wake me at 0", "alarm/set0",
    ),
    "word_problems.json": (  # a story and its question in two columns, as in SVAMP
        [{"Body": f"Ann has {i} pens.", "Question": "How many has Ann?", "Answer": float(i)} for i in range(2, 9)],
        "",
        "inputs in '{Body} {Question}', answers in 'Answer'",
        7, "Ann has 2 pens. How many has Ann?", "2",
    ),
    "quiz.csv": (  # an option a column, as in MMLU's CSV files
        [{"question": f"Capital {i}?", "A": "Rome", "B": "Oslo", "C": "Bern", "D": "Ulm", "answer": "ABCD"[i % 4]}
         for i in range(1, 9)],
        "",
        "multiple choice: questions in 'question', options in 'A', 'B', 'C' and 'D', right ones in 'answer'",
        8, "Capital 1?\n\nA. Rome\nB. Oslo\nC. Bern\nD. Ulm", "B",
    ),
    "exam.jsonl": (  # options in records, numbered, as in ARC
        [{"question": {"stem": f"What is cold, {i}?", "choices": [{"text": "fire", "label": "1"},
                                                              {"text": "ice", "label": "2"}]}, "answerKey": "2"}
         for i in range(4)],
        "",
        "multiple choice: questions in 'question', options in 'choices', right ones in 'answerKey'",
        4, "What is cold, 0?\n\nA. fire\nB. ice", "B",
    ),
    "calls.jsonl": (  # tools and calls as JSON in text, as in xLAM
        [{"query": f"Rain in {city}?", "tools": json.dumps(TOOLS),
          "answers": json.dumps([{"name": "rain", "arguments": {"city": city}}])} for city in ("Ulm", "Bern")],
        "",
        "requests in 'query', tools in 'tools', calls in 'answers'",
        2, "Rain in Ulm?", '{"name": "rain", "arguments": {"city": "Ulm"}}',
    ),
    "pairs.csv": (  # two sentences, as in QQP
        [{"id": i, "question1": f"How old is {i}?", "question2": f"Age of {i}?", "is_duplicate": i % 2}
         for i in range(8)],
        "",
        "texts in 'question1' and 'question2', labels in 'is_duplicate'",
        8, "question1: How old is 0?\nquestion2: Age of 0?", "0",
    ),
    "absaetze.json": (  # SQuAD's structure in other words
        {"version": 1, "data": [ARTICLE, ARTICLE]},
        SQUAD_LIKE,
        "inputs in 'data.absaetze.fragen.frage', answers in 'data.absaetze.fragen.antworten.wort', "
        "passages in 'data.absaetze.text'",
        6, "Wo liegt Ulm?", "an der Donau",
    ),
    "story.json": (  # lists that go together, as in CoQA
        {"data": [STORY, STORY]},
        "text_column='{story}\\n\\n{questions.input_text}' label_column=answers.input_text",
        "inputs in '{story}\\\\n\\\\n{questions.input_text}', answers in 'answers.input_text'",
        4, "Bo ran home.\n\nWho ran?", "Bo",
    ),
    "report.json": (  # questions about a nested table, as in TAT-QA
        [REPORT],
        "text_column='{table.table}\\n\\n{questions.question}' label_column=questions.answer",
        "inputs in '{table.table}\\\\n\\\\n{questions.question}', answers in 'questions.answer'",
        2, "| 2019\nSales | 7\n\nSales?", "7",
    ),
    "cells.jsonl": (  # a table as the passage, as in WikiTableQuestions
        [{"table": {"header": ["City", "Year"], "rows": [["Ulm", 1890]]}, "question": f"{i}?", "answers": ["1890"]}
         for i in range(3)],
        "",
        "passages in 'table', questions in 'question', answers in 'answers'",
        3, "City | Year\nUlm | 1890\n\n0?", "1890",
    ),
    "votes.jsonl": (  # as in PandaLM
        [{"instruction": f"Say {i}", "input": "", "output_1": "yes", "output_2": "no", "label": 2 - i % 3}
         for i in range(9)],
        "",
        "preference pairs: 'output_1' or 'output_2', as judged in 'label'",
        6, "Say 0", "no",
    ),
    "feelings.jsonl": (  # several labels, as in GoEmotions
        [{"text": f"text {i}", "labels": ["joy", "love"][: i % 3]} for i in range(1, 9)],
        "",
        "inputs in 'text', answers in 'labels' (each list is one answer, as JSON)",
        8, "text 1", '["joy"]',
    ),
    "judged.csv": (  # KTO without JSON
        [{"prompt": f"p{i}", "completion": "c", "label": ["True", "False"][i % 2]} for i in range(4)],
        "",
        "prompts, completions, and whether they were good ('label')",
        4, "p0", "c",
    ),
}  # fmt: skip


def written(folder, name, content):
    path = folder / name
    if name.endswith(".csv"):
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, list(content[0]))
            table.writeheader()
            table.writerows(content)
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content))
    else:
        path.write_text(json.dumps(content, ensure_ascii=False))
    return path


@pytest.mark.parametrize("name", SHAPES)
def test_a_file_is_read_as_it_is_meant(tmp_path, name):
    content, words, sentence, num_rows, input, target = SHAPES[name]
    values = parse(["prepare", *shlex.split(words)])[1]
    found = read_canonical(written(tmp_path, name, content), **values)
    assert str(found.shape) == sentence
    first = found.rows[0]
    assert (len(found.rows), first.input, first.target) == (num_rows, input, target)


def test_the_note_says_in_one_sentence_how_the_rows_were_read(tmp_path):
    notes = []
    rows = [
        {"Body": "Ann has pens.", "Question": f"How many, {i}?", "Answer": i + 2.0, "Type": "Sum"} for i in range(3)
    ]
    read_canonical(written(tmp_path, "a.jsonl", rows), on_note=notes.append)
    assert notes == [
        "a.jsonl: inputs in '{Body} {Question}', answers in 'Answer'; numbers without a fraction are written as "
        "integers, 2.0 as 2; not used: Type"
    ]


def test_every_question_of_a_nested_file_keeps_its_passage_and_its_answers(tmp_path):
    content, words, *_ = SHAPES["absaetze.json"]
    found = read_canonical(written(tmp_path, "a.json", content), **parse(["prepare", *shlex.split(words)])[1])
    assert [(row.input, row.target, row.aliases, row.passage) for row in found.rows[:3]] == [
        ("Wo liegt Ulm?", "an der Donau", ("Donau",), "Ulm liegt an der Donau."),
        ("Was liegt da?", "Ulm", (), "Ulm liegt an der Donau."),
        ("Was hat Bern?", "Bären", (), "Bern hat Bären."),
    ]


def test_calls_become_a_chat_with_tools(tmp_path):
    content, *_ = SHAPES["calls.jsonl"]
    found = read_canonical(written(tmp_path, "a.jsonl", content))
    values = found.rows[0].values
    assert values["tools"] == [{"type": "function", "function": TOOLS[0]}]
    call = {"type": "function", "function": {"name": "rain", "arguments": {"city": "Ulm"}}}
    assert values["messages"][-1] == {"role": "assistant", "content": "", "tool_calls": [call]}
    assert found.instruction == ""  # the template of the chat says how to call tools


def test_multiple_choice_is_a_classification_of_letters(tmp_path):
    content, *_ = SHAPES["quiz.csv"]
    found = read_canonical(written(tmp_path, "a.csv", content))
    assert (found.kind, found.labels) == ("classification", ["A", "B", "C", "D"])
    assert found.instruction == "Answer with the letter of the right option."
