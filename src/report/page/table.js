"use strict";
// The table of results with its filters. Without this script it stands complete, in the order of the plan.

const results = (() => {
  const table = document.getElementById("results-table");
  const body = table.tBodies[0];
  const plan = [...body.rows];

  function markCells() {
    let before = null;
    for (const row of body.rows) {
      if (row.hidden) continue;
      row.classList.toggle("first", before !== null && row.dataset.cell !== before);
      before = row.dataset.cell;
    }
  }

  sortableRows(table, markCells);

  const listing = (row) => link(["runs"], { row: `${row.dataset.cell}.${row.dataset.solver}` });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row && !getSelection().toString()) location.hash = listing(row);
  });
  for (const row of plan) {
    const name = row.querySelector(".solver").firstChild;
    const anchor = document.createElement("a");
    name.before(anchor);
    anchor.append(name);
    anchor.title = "The runs of this row";
  }

  // Shows the rows that the filters keep.
  function filter() {
    let shown = 0;
    for (const row of plan) {
      row.hidden = !keepsSolver(Number(row.dataset.solver)) || !keepsCell(Number(row.dataset.cell));
      row.querySelector(".solver a").href = listing(row);
      shown += row.hidden ? 0 : 1;
    }
    document.getElementById("rows").textContent = shown === plan.length ? `${shown} rows` : `${shown} of ${plan.length} rows`;
    markCells();
  }
  return { filter };
})();
