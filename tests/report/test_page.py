import base64
import hashlib
import json
import re

import pytest

from slmkit.report import write_report
from slmkit.report.answers_table import answers_by_item
from slmkit.report.interval_chart import arms_chart
from slmkit.report.read_run import Arm


@pytest.fixture
def page(make_run, parse):
    """Makes a run, writes its report and takes the page apart; keywords go to make_run."""
    return lambda **recipe: parse(write_report(make_run(**recipe)).read_text(encoding="utf-8"))


def words(page) -> str:
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


def test_the_verdict_stands_before_everything_else(page):
    text = page().text
    order = ["leads.", "The arms", "The claim", "Metrics", "Curves", "of each system", "Tables", "Where it comes from"]
    places = [text.rindex(heading) for heading in order]
    assert places == sorted(places)


def test_the_claim_shows_each_check_with_its_mark(page):
    text = words(page())
    assert "✓ holds accuracy at least 0.600 0.700" in text
    assert "✗ broken rows at least 100 24" in text


def test_five_examples_of_each_system_are_spread_over_the_gold_set(make_run):
    html = write_report(make_run(num_items=50)).read_text()
    assert re.findall(r"<span>(g\d+)</span>", html) == ["g5", "g15", "g25", "g35", "g45"]
    assert html.count('<li class="answer') == 10


def test_an_answer_stands_under_its_own_system_where_another_has_none(make_run):
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


def test_examples_of_two_gold_sets_with_one_id_are_two_examples():
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


def test_long_tables_and_long_texts_are_cut_and_say_so(make_run):
    html = write_report(make_run()).read_text()
    assert "70 rows, the first 50 here, all in dropped.jsonl" in html
    assert "5,000 more characters in answers.jsonl" in html
    assert "W" * 4_001 not in html


def test_control_characters_and_half_surrogates_become_visible(make_run, parse):
    run_dir = make_run()
    note = "nul \\u0000 escape \\u001b[31m half \\ud800 reorder \\u202e end"
    (run_dir / "notes.jsonl").write_text(f'{{"text": "{note}"}}\n')
    text = parse(write_report(run_dir).read_text(encoding="utf-8")).text
    assert "nul ␀ escape ␛[31m half \ufffd reorder \ufffd end" in text


ENTITIES = '<!DOCTYPE x [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg"/>'


DEEP = f'<svg xmlns="http://www.w3.org/2000/svg">{"<g>" * 3_000}{"</g>" * 3_000}</svg>'


@pytest.mark.parametrize("svg", ["<svg", "<html/>", "", ENTITIES, DEEP], ids=lambda svg: svg[:5])
def test_what_is_not_a_figure_is_named_and_not_shown(make_run, parse, svg):
    run_dir = make_run()
    (run_dir / "figures").mkdir()
    (run_dir / "figures/broken.svg").write_text(svg)
    assert "figures/broken.svg is not shown: it" in parse(write_report(run_dir).read_text()).text


def test_a_run_without_a_result_says_that_it_is_not_finished_or_why_it_failed(make_run, parse):
    run_dir = make_run()
    (run_dir / "result.json").unlink()
    assert "This run is not finished." in parse(write_report(run_dir).read_text()).text
    (run_dir / "error.txt").write_text("error: no <space> left")
    text = parse(write_report(run_dir).read_text()).text
    assert "This run failed." in text and "error: no <space> left" in text


def test_an_empty_folder_and_broken_files_still_make_a_page(tmp_path, parse):
    assert "not finished" in parse(write_report(tmp_path).read_text()).text
    (tmp_path / "recipe.json").write_text('{"inputs": 3')
    (tmp_path / "result.json").write_text('{"metrics": {"loss": "high"}}')
    (tmp_path / "answers.jsonl").write_text('not json\n[1]\n{"system": "a", "score": NaN}\n{"cut off')
    (tmp_path / "arms.jsonl").write_text('{"system": "a", "score": "?"}\n{}\n')
    text = parse(write_report(tmp_path).read_text()).text
    assert "recipe.json could not be read" in text
    assert "result.json could not be read: metrics.loss.value" in text
    assert "arms.jsonl could not be read: score" in text


def test_lineage_goes_down_to_the_raw_file_and_links_the_reports_between(make_run, page):
    raw = {"parameter": "data", "name": "train.csv", "kind": "file", "path": "train.csv", "sha256": "9f86d081"}
    prepare = make_run(name="loop/prepare", inputs=[raw])
    source = {"parameter": "data", "name": "loop/prepare", "kind": "recipe", "key": prepare.name}
    shown = page(name="loop/train", inputs=[source])
    assert "../../prepare/3f9c0a1b2d4e/report.html" in shown.links
    assert f"loop/prepare recipe, key {prepare.name}, for data train.csv file, for data sha256 9f86d081" in words(
        shown
    )


def test_a_source_that_is_no_web_address_is_no_link(page):
    shown = page(source=["https://arxiv.org/abs/2305.18290", "javascript:alert(1)"])
    assert "https://arxiv.org/abs/2305.18290" in shown.links and "javascript:alert(1)" not in shown.links
    assert "javascript:alert(1)" in shown.text


def test_every_value_shows_who_set_it(page):
    origins = {"learning_rate": "recipes/loop/train.yaml:6", "lora": "default"}
    text = words(page(**{"with": {"learning_rate": 0.0002, "lora": {"r": 8}}}, origins=origins))
    assert "learning_rate 0.0002 recipes/loop/train.yaml:6" in text
    assert "1 value is the default Key Value Set by lora.r 8 default" in text


def test_the_memory_of_each_arm_is_shown_where_it_is_known(make_run, parse):
    run_dir = make_run()
    assert "Memory" not in parse(write_report(run_dir).read_text()).text
    rows = [{"system": "a", "score": 0.7, "peak_memory_bytes": 1_240_000_000}, {"system": "b", "score": 0.6}]
    (run_dir / "arms.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "System Memory a 1.2 GB b –" in words(parse(write_report(run_dir).read_text()))


def test_scores_stand_on_one_scale():
    chart = arms_chart([Arm(system="a", score=0.5, low=0.25, high=0.75), Arm(system="b", score=0.25)])
    assert [(place.low, place.at, place.high) for place in chart.places] == [(25, 50, 75), (25, 25, 25)]
    assert [value for value, _ in chart.ticks] == [0, 0.25, 0.5, 0.75, 1]
    wide = arms_chart([Arm(system="a", score=30.0), Arm(system="b", score=-8.0)])
    assert wide.ticks[0][0] <= -8 and wide.ticks[-1][0] >= 30
