// Filters the list of runs by search text and status.
"use strict";
(() => {
  const form = document.getElementById("find");
  if (!form) return;
  const runs = [...document.querySelectorAll(".run")].map((row) => ({ row, text: row.textContent.toLowerCase() }));
  const { search, status } = form.elements;

  function update() {
    const query = search.value.trim().toLowerCase();
    let shown = 0;
    for (const { row, text } of runs) {
      row.hidden = !text.includes(query) || (status.value !== "" && row.dataset.status !== status.value);
      shown += !row.hidden;
    }
    document.getElementById("none").hidden = shown > 0;
  }

  search.addEventListener("input", update);
  status.addEventListener("change", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
})();
