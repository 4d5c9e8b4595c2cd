from slmkit.report import write_index, write_report
from slmkit.runs.run_folder import Run


def test_the_index_lists_every_run_newest_first(make_run, parse, tmp_path):
    write_report(make_run(name="loop/train", started="2026-03-02T08:00:00Z"))
    make_run(name="a/lesson <b>", started="2026-03-01T08:00:00Z")
    failed = make_run(name="loop/eval", started="2026-03-03T08:00:00Z")
    (failed / "result.json").unlink()
    (failed / "error.txt").write_text("error: out of memory")
    Run(failed / "inner").path("recipe.json").write_text("{}")  # a file the run made, not a run
    page = parse(write_index(tmp_path).read_text())
    places = [page.text.index(name) for name in ("loop/eval", "loop/train", "a/lesson <b>")]
    assert places == sorted(places)
    assert page.links == ["loop/train/3f9c0a1b2d4e/report.html"]  # the only report written
    assert "failed" in page.text and page.text.count("3f9c0a1b2d4e") == 3


def test_the_index_of_no_runs_is_a_page_without_links(parse, tmp_path):
    assert parse(write_index(tmp_path).read_text()).links == []
