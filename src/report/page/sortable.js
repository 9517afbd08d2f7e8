"use strict";
// Tables that sort.

// Headings that sort: first click ascending, second descending, third the order of the plan. `sort` gets the column and
// 1, -1 or 0.
function sortable(head, sort) {
  const headers = [...head.cells];
  headers.forEach((header, column) => {
    const label = button("", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" }[header.ariaSort ?? "none"];
      for (const other of headers) other.ariaSort = "none";
      header.ariaSort = next;
      sort(column, { ascending: 1, descending: -1, none: 0 }[next]);
    });
    label.append(...header.childNodes);
    header.replaceChildren(label);
    header.ariaSort = "none";
  });
}

// Numbers and words in order; what is absent stays last, whichever way.
function ordered(list, key, numeric, sign) {
  if (!sign) return list;
  return [...list].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (!numeric) return sign * String(x).localeCompare(String(y), "en", { numeric: true });
    return Number.isNaN(x) - Number.isNaN(y) || sign * (x - y) || 0;
  });
}

// A table that stands in the page: a heading's data-kind tells numbers from words, a cell's data-v is its number.
function sortableRows(table, done = () => {}) {
  const head = table.tHead.rows[0];
  const plan = [...table.tBodies[0].rows];
  const number = (cell) => (cell.dataset.v === undefined ? NaN : Number(cell.dataset.v.replace("inf", "Infinity")));
  sortable(head, (column, sign) => {
    const numeric = head.cells[column].dataset.kind === "number";
    const key = (row) => (numeric ? number(row.cells[column]) : row.cells[column].textContent);
    table.tBodies[0].append(...ordered(plan, key, numeric, sign));
    done();
  });
}
