import base64
import hashlib
import json
import re

import pytest

from slmkit.report import write_report
from slmkit.report.answers_table import answers_by_item
from slmkit.report.interval_chart import interval_chart
from slmkit.report.read_run import Arm


@pytest.fixture
def page(make_run, parse):
    """Makes a run, writes its report and takes the page apart; keywords go to make_run."""
    return lambda **recipe: parse(write_report(make_run(**recipe)).read_text(encoding="utf-8"))


def one_line(page) -> str:
    return " ".join(page.text.split())


def test_hostile_texts_stay_text(page, hostile):
    shown = page()
    for text in [*hostile[:7], "Four <i>ways</i>", "<u>tuned</u> leads.", "prompt <b>", "<script>no GPU</script>"]:
        assert text in shown.text
    tags = {tag for tag, _ in shown.elements}
    assert not tags & {"img", "i", "u", "iframe", "object", "embed", "foreignobject"}
    names = {name for _, attributes in shown.elements for name in attributes}
    assert "style" not in names and not any(name.startswith("on") for name in names)
    assert len(shown.inside["script"]) == 2  # the answers as data, and the page's own script


def test_the_page_loads_nothing_and_its_policy_admits_only_its_own_style_and_script(page):
    shown = page(source="https://arxiv.org/abs/2305.18290")
    for tag, attributes in shown.elements:
        assert not attributes.keys() & {"src", "srcset", "data", "action"}
        assert tag == "a" or attributes.get("href", "#").startswith(("#", "data:,"))
    policy = next(attributes["content"] for _, attributes in shown.elements if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "http" not in policy
    style, script = shown.inside["style"][0], shown.inside["script"][-1]
    for text in (style, script):
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy
    assert "@import" not in style and "url(" not in style and "fetch(" not in script


def test_sections_follow_the_verdict_in_a_fixed_order(page):
    shown = page()
    headings = [a["id"] for tag, a in shown.elements if "id" in a and tag in ("section", "h1")]
    assert headings == ["arms", "claim", "metrics", "curves", "examples", "answers", "tables", "lineage", "notes",
                        "environment"]  # fmt: skip
    assert shown.text.index("Fine-tune: <u>tuned</u> leads.") < shown.text.index("0.700")


def test_the_claim_shows_each_check_with_its_mark(page):
    assert re.findall(r"([✓✗]) \w+ (\w+) at least (\S+) (\S+)", one_line(page())) == [
        ("✓", "accuracy", "0.600", "0.700"),
        ("✗", "rows", "100", "24"),
    ]


def test_five_evenly_spaced_examples_show_the_answers_of_each_system(make_run):
    html = write_report(make_run(num_items=50)).read_text()
    assert re.findall(r"<span>(g\d+)</span>", html) == ["g5", "g15", "g25", "g35", "g45"]
    assert html.count('<li class="answer') == 10


def test_an_answer_is_shown_under_its_system_if_another_has_none(make_run):
    run_dir = make_run()
    rows = [
        {"system": system, "example_id": id, "input": "?", "target": "a", "answer": f"by {system}", "score": 1.0}
        for system, id in (("before", "g0"), ("after", "g1"))
    ]
    (run_dir / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    html = write_report(run_dir).read_text()
    assert re.findall(r'</span>(\w+)</p>\s+<p class="said any" dir="auto">by (\w+)</p>', html) == [
        ("before", "before"),
        ("after", "after"),
    ]


def test_examples_of_two_gold_sets_with_the_same_id_stay_separate():
    rows = [
        {"system": f"{gold}, {when}", "example_id": "1", "input": f"a question of {gold}", "answer": f"{gold} {when}"}
        for gold in ("reading", "skills")
        for when in ("before", "after")
    ]
    items = answers_by_item(rows).items
    said = {item.input: [answer["text"] for answer in item.answers if answer] for item in items}
    assert said == {
        "a question of reading": ["reading before", "reading after"],
        "a question of skills": ["skills before", "skills after"],
    }


def test_long_tables_and_long_texts_are_truncated_with_the_count_of_the_rest(make_run):
    html = write_report(make_run()).read_text()
    assert re.search(r"70 rows.* 50 .*dropped\.jsonl", html)
    assert re.search(r"\(5,000 .*answers\.jsonl\)", html)
    assert "W" * 4_001 not in html


def test_control_characters_and_lone_surrogates_become_visible(make_run, parse):
    run_dir = make_run()
    note = "nul \\u0000 escape \\u001b[31m half \\ud800 reorder \\u202e end"
    (run_dir / "notes.jsonl").write_text(f'{{"text": "{note}"}}\n')
    text = parse(write_report(run_dir).read_text(encoding="utf-8")).text
    assert "nul ␀ escape ␛[31m half \ufffd reorder \ufffd end" in text


ENTITIES = '<!DOCTYPE x [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg"/>'


DEEP = f'<svg xmlns="http://www.w3.org/2000/svg">{"<g>" * 3_000}{"</g>" * 3_000}</svg>'


@pytest.mark.parametrize("svg", ["<svg", "<html/>", "", ENTITIES, DEEP], ids=lambda svg: svg[:5])
def test_a_file_that_is_not_a_safe_figure_is_named_and_not_shown(make_run, parse, svg):
    run_dir = make_run()
    (run_dir / "figures").mkdir()
    (run_dir / "figures/broken.svg").write_text(svg)
    shown = parse(write_report(run_dir).read_text())
    assert "figures/broken.svg" in shown.text
    assert ("section", "figures") not in [(tag, a.get("id")) for tag, a in shown.elements]


def test_a_run_without_a_result_is_unfinished_or_failed_with_its_error(make_run, parse):
    run_dir = make_run()
    (run_dir / "result.json").unlink()
    unfinished = parse(write_report(run_dir).read_text())
    (run_dir / "error.txt").write_text("error: no <space> left")
    failed = parse(write_report(run_dir).read_text())
    tones = [a["class"] for shown in (unfinished, failed) for tag, a in shown.elements if tag == "h1"]
    assert tones == ["verdict plain", "verdict bad"]
    assert "error: no <space> left" in failed.text


def test_an_empty_folder_and_damaged_files_still_make_a_page(tmp_path, parse):
    assert tmp_path.name in parse(write_report(tmp_path).read_text()).text
    (tmp_path / "recipe.json").write_text('{"inputs": 3')
    (tmp_path / "result.json").write_text('{"metrics": {"loss": "high"}}')
    (tmp_path / "answers.jsonl").write_text('not json\n[1]\n{"system": "a", "score": NaN}\n{"cut off')
    (tmp_path / "arms.jsonl").write_text('{"system": "a", "score": "?"}\n{}\n')
    text = parse(write_report(tmp_path).read_text()).text
    for problem in ("recipe.json", r"result.json.*: metrics\.loss\.value", "arms.jsonl.*: score"):
        assert re.search(problem, text)


def test_lineage_reaches_the_raw_file_and_links_the_reports_on_the_way(make_run, page):
    raw = {"parameter": "data", "name": "train.csv", "kind": "file", "path": "train.csv", "sha256": "9f86d081"}
    prepare = make_run(name="loop/prepare", inputs=[raw])
    source = {"parameter": "data", "name": "loop/prepare", "kind": "recipe", "key": prepare.name}
    shown = page(name="loop/train", inputs=[source])
    assert "../../prepare/3f9c0a1b2d4e/report.html" in shown.links
    assert re.search(rf"loop/prepare recipe, key {prepare.name}, .* train\.csv file, .* 9f86d081", one_line(shown))


def test_only_a_source_with_a_web_address_is_a_link(page):
    shown = page(source=["https://arxiv.org/abs/2305.18290", "javascript:alert(1)"])
    assert "https://arxiv.org/abs/2305.18290" in shown.links and "javascript:alert(1)" not in shown.links
    assert "javascript:alert(1)" in shown.text


def test_every_value_shows_its_origin(page):
    origins = {"learning_rate": "recipes/loop/train.yaml:6", "lora": "default"}
    text = one_line(page(**{"with": {"learning_rate": 0.0002, "lora": {"r": 8}}}, origins=origins))
    assert "learning_rate 0.0002 recipes/loop/train.yaml:6" in text
    assert "lora.r 8 default" in text


def test_the_peak_memory_of_each_arm_is_shown_if_known(make_run, parse):
    run_dir = make_run()
    assert "memory" not in parse(write_report(run_dir).read_text()).text
    rows = [{"system": "a", "score": 0.7, "peak_memory_bytes": 1_240_000_000}, {"system": "b", "score": 0.6}]
    (run_dir / "arms.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert re.search(r"memory a 1\.2 GB b –", one_line(parse(write_report(run_dir).read_text())))


def test_scores_share_one_scale():
    chart = interval_chart([Arm(system="a", score=0.5, low=0.25, high=0.75), Arm(system="b", score=0.25)])
    assert [(row.low, row.score, row.high) for row in chart.rows] == [(25, 50, 75), (25, 25, 25)]
    assert [value for value, _ in chart.ticks] == [0, 0.25, 0.5, 0.75, 1]
    wide = interval_chart([Arm(system="a", score=30.0), Arm(system="b", score=-8.0)])
    assert wide.ticks[0][0] <= -8 and wide.ticks[-1][0] >= 30
