// Shows the runs that contain what is searched for and have the chosen status.
"use strict";
(() => {
  const form = document.getElementById("find");
  if (!form) return;
  const runs = [...document.querySelectorAll(".run")].map((row) => ({ row, words: row.textContent.toLowerCase() }));
  const { search, status } = form.elements;

  function update() {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const { row, words } of runs) {
      row.hidden = !words.includes(wanted) || (status.value !== "" && row.dataset.status !== status.value);
      shown += !row.hidden;
    }
    document.getElementById("none").hidden = shown > 0;
  }

  search.addEventListener("input", update);
  status.addEventListener("change", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
})();
