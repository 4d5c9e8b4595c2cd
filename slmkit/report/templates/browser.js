// The "All answers" section: filters, sorts and searches the answers in memory and renders one page of cards at a time.
"use strict";
(() => {
  const ITEMS_PER_PAGE = 25;
  const { systems, items } = JSON.parse(document.getElementById("answers-data").textContent);
  const browser = document.getElementById("browser");
  const list = document.getElementById("items");
  const form = browser.querySelector("form");
  const { search, show, slice, order } = form.elements;
  let found = [];
  let page = 0;

  const scores = (item) => item.answers.filter((answer) => answer && answer.score !== null).map((answer) => answer.score);
  for (const item of items) {
    const all = scores(item);
    item.mean = all.length ? all.reduce((sum, score) => sum + score, 0) / all.length : 1;
    item.searchText = [item.id, item.input, item.target, ...item.answers.map((answer) => (answer ? answer.text : ""))].join("\n").toLowerCase();
  }

  const wrong = (answer) => answer !== null && answer.score !== null && answer.score < 1;
  const filters = new Map([["all examples", () => true]]);
  if (systems.length > 1) {
    filters.set("systems disagree", (item) => new Set(scores(item)).size > 1);
    filters.set("all systems wrong", (item) => scores(item).every((score) => score < 1));
    filters.set("all systems right", (item) => scores(item).every((score) => score === 1));
  }
  systems.forEach((system, i) => filters.set(`${system} wrong`, (item) => wrong(item.answers[i])));
  if (systems.length > 1) {
    systems.forEach((system, i) => filters.set(`only ${system} right`, (item) =>
      item.answers[i] !== null && item.answers[i].score === 1 && item.answers.every((answer, j) => j === i || wrong(answer))));
  }
  filters.set("with a remark", (item) => item.answers.some((answer) => answer && answer.remark));
  for (const name of filters.keys()) show.add(new Option(name));

  const slices = [...new Set(items.map((item) => item.slice))].filter(Boolean).sort();
  slice.add(new Option("all", ""));
  for (const name of slices) slice.add(new Option(name));
  slice.parentElement.hidden = slices.length < 2;

  function update() {
    const query = search.value.trim().toLowerCase();
    const keep = filters.get(show.value);
    found = items.filter((item) => keep(item) && (!slice.value || item.slice === slice.value) && item.searchText.includes(query));
    if (order.value === "failures") found.sort((a, b) => a.mean - b.mean); // stable: ties keep the gold set order
    page = 0;
    draw();
  }

  function draw() {
    const start = page * ITEMS_PER_PAGE;
    const end = Math.min(start + ITEMS_PER_PAGE, found.length);
    list.replaceChildren(...found.slice(start, end).map(card));
    const count = found.length.toLocaleString("en");
    const message = found.length === 0 ? "No matches." : `${(start + 1).toLocaleString("en")}–${end.toLocaleString("en")} of ${count}`;
    for (const status of browser.querySelectorAll(".status")) status.textContent = message;
    browser.querySelector(".pager:last-child").hidden = found.length <= ITEMS_PER_PAGE;
    for (const button of browser.querySelectorAll("[data-go]")) {
      button.disabled = button.dataset.go === "-1" ? page === 0 : end === found.length;
    }
  }

  function card(item) {
    const head = element("p", "item-head", element("span", "", item.id));
    if (item.slice) head.append(element("span", "", item.slice));
    const pair = element("dl", "pair",
      element("div", "", element("dt", "", "Input"), text("dd", "any", item.input)),
      element("div", "", element("dt", "", "Target"), text("dd", "any", item.target)));
    const answers = element("ul", "answers", ...item.answers.map((answer, i) => answer && answerCard(answer, systems[i])).filter(Boolean));
    return element("article", "item", head, pair, answers);
  }

  function answerCard(answer, system) {
    const [kind, sign] = answer.score === null ? ["", ""] : answer.score >= 1 ? ["right", "✓"] : answer.score > 0 ? ["partly", "≈"] : ["wrong", "✗"];
    const who = element("p", "who");
    if (sign) {
      const mark = element("span", "mark", sign);
      mark.setAttribute("aria-hidden", "true");
      who.append(mark, element("span", "hidden", `${kind}: `));
    }
    who.append(kind === "partly" ? `${system} ${answer.score.toFixed(3)}` : system);
    const said = answer.text ? text("p", "said any", answer.text) : element("p", "said none", "empty");
    const box = element("li", `answer ${kind}`, who, said);
    if (answer.remark) box.append(element("p", "remark", answer.remark));
    return box;
  }

  // Untrusted text is always inserted as a text node, with its own direction; search hits are highlighted.
  function text(tag, kind, value) {
    const node = element(tag, kind);
    node.dir = "auto";
    if (value.length > 300) node.tabIndex = 0; // it scrolls inside its card, so it must be focusable
    const query = search.value.trim().toLowerCase();
    const lower = value.toLowerCase();
    let from = 0;
    for (let at; query && lower.length === value.length && (at = lower.indexOf(query, from)) >= 0; from = at + query.length) {
      node.append(value.slice(from, at), element("mark", "", value.slice(at, at + query.length)));
    }
    node.append(value.slice(from));
    return node;
  }

  function element(tag, kind, ...children) {
    const node = document.createElement(tag);
    if (kind) node.className = kind;
    node.append(...children);
    return node;
  }

  let waiting;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(update, 120); });
  for (const select of [show, slice, order]) select.addEventListener("change", update);
  form.addEventListener("submit", (event) => { event.preventDefault(); update(); });
  browser.addEventListener("click", (event) => {
    const go = event.target.dataset.go;
    if (!go) return;
    page += Number(go);
    draw();
    document.getElementById("answers").scrollIntoView();
  });

  update();
  browser.hidden = false;
})();
