"""The report in headless Chromium, if one is installed: scripts work, and the console stays empty."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from slmkit.report import write_index, write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")


def browse(path: Path, *, probe: str = "") -> tuple[str, list[str]]:
    """The page's HTML after its script (and the probe, which is added to the policy) ran, and the console lines."""
    if probe:
        digest = base64.b64encode(hashlib.sha256(probe.encode()).digest()).decode()
        html = path.read_text().replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
        path = path.with_name("probed.html")
        path.write_text(html.replace("</body>", f"<script>{probe}</script></body>"))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--v=0"]
    flags += [f"--user-data-dir={path.parent / 'profile'}", "--virtual-time-budget=3000", "--dump-dom", path.as_uri()]
    done = subprocess.run([CHROMIUM, *flags], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_hostile_texts_stay_text_and_the_console_stays_empty(make_run):
    html, console = browse(write_report(make_run()))
    assert console == []
    assert "<title>Four &lt;i&gt;ways&lt;/i&gt;</title>" in html  # no hostile script changed it
    assert html.count('<article class="item">') == 5 + 24 and "1–24 of 24" in html
    assert "<img" not in html and html.count("<script") == 2


def test_answers_are_filtered_ordered_and_searched(make_run):
    probe = """
      const field = (name) => document.querySelector(`[name=${name}]`);
      const status = () => document.querySelector(".status").textContent;
      const choose = (name, value) => { field(name).value = value; field(name).dispatchEvent(new Event("change")); };
      const first = () => document.querySelector("#items .item-head").textContent;
      const seen = [status(), first()];
      choose("show", "systems disagree"); seen.push(status());
      choose("show", "tuned wrong"); choose("slice", "language: de"); seen.push(status());
      choose("show", "all examples"); choose("slice", ""); choose("order", "gold"); seen.push(first());
      document.querySelector("[data-go='1']").click(); seen.push(status());
      field("search").value = "NO SUCH TEXT"; field("search").form.requestSubmit(); seen.push(status());
      field("search").value = "ARRIVAL"; field("search").form.requestSubmit();
      seen.push(status(), document.querySelector("#items mark").textContent);
      document.body.dataset.seen = JSON.stringify(seen);"""
    html, console = browse(write_report(make_run(num_items=30)), probe=probe)
    assert console == []
    seen = json.loads(re.search(r'data-seen="([^"]*)"', html)[1].replace("&quot;", '"'))
    # The prompt is wrong on g0, g3, g6 ... and the tuned system on g2, g5, g8 ...; even numbers are "de".
    assert seen == [
        "1–25 of 30", "g0language: de", "1–20 of 20", "1–5 of 5", "g0language: de", "26–30 of 30",
        "No matches.", "1–25 of 30", "arrival"]  # fmt: skip


@pytest.mark.long
def test_one_page_of_three_thousand_items_is_rendered_at_a_time(make_run):
    probe = """
      const field = (name) => document.querySelector(`[name=${name}]`);
      const drawn = () => document.querySelectorAll("#items .item").length;
      const status = () => document.querySelector(".status").textContent;
      const seen = [status(), drawn()];
      field("show").value = "tuned wrong"; field("show").dispatchEvent(new Event("change"));
      seen.push(status(), drawn());
      document.body.dataset.seen = JSON.stringify(seen);"""
    html, console = browse(write_report(make_run(num_items=3000)), probe=probe)
    assert console == []
    seen = json.loads(re.search(r'data-seen="([^"]*)"', html)[1].replace("&quot;", '"'))
    assert seen == ["1–25 of 3,000", 25, "1–25 of 1,000", 25]


def test_the_index_is_searched(make_run, tmp_path):
    make_run(name="loop/train")
    make_run(name="loop/eval", title="Evaluate")
    probe = """
      const search = document.querySelector("[name=search]");
      search.value = "LOOP/EVAL"; search.dispatchEvent(new Event("input"));
      document.body.dataset.seen = document.querySelectorAll(".run:not([hidden])").length;"""
    html, console = browse(write_index(tmp_path), probe=probe)
    assert console == [] and 'data-seen="1"' in html


def test_an_injected_script_is_blocked_and_reported_in_the_console(make_run):
    path = write_report(make_run())
    path.write_text(path.read_text().replace("</body>", "<script>document.title = 'owned'</script></body>"))
    html, console = browse(path)
    assert len(console) == 1 and "Content Security Policy" in console[0] and "<title>Four" in html
