"use strict";
// Sorting and filtering the table of results. Without this script the table stands complete, in the order of the plan.

(() => {
  const table = document.getElementById("results");
  const body = table.tBodies[0];
  const plan = [...body.rows];
  const filters = document.getElementById("filters");
  const wanted = {};

  function markCells() {
    let before = null;
    for (const row of body.rows) {
      if (row.hidden) continue;
      row.classList.toggle("first", before !== null && row.dataset.cell !== before);
      before = row.dataset.cell;
    }
  }

  function value(row, column, numeric) {
    const cell = row.cells[column];
    if (!numeric) return cell.textContent;
    return cell.dataset.v === undefined ? NaN : Number(cell.dataset.v.replace("inf", "Infinity"));
  }

  // First click ascending, second descending, third the order of the plan; rows without a value stay last.
  function sort(header, column) {
    const next = { none: "ascending", ascending: "descending", descending: "none" }[header.ariaSort ?? "none"];
    for (const other of table.tHead.rows[0].cells) other.ariaSort = "none";
    header.ariaSort = next;
    const numeric = header.dataset.kind === "number";
    const sign = next === "descending" ? -1 : 1;
    const order = next === "none" ? plan : [...plan].sort((a, b) => {
      const [x, y] = [value(a, column, numeric), value(b, column, numeric)];
      if (!numeric) return sign * x.localeCompare(y, "en", { numeric: true });
      return Number.isNaN(x) - Number.isNaN(y) || sign * (x - y) || 0;
    });
    body.append(...order);
    markCells();
  }

  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const label = button("", () => sort(header, column));
    label.append(...header.childNodes);
    header.replaceChildren(label);
    header.ariaSort = "none";
  });

  const count = document.createElement("span");
  function filter() {
    let shown = 0;
    for (const row of plan) {
      const place = data.cells[row.dataset.cell].place;
      const fits = (name) => name === "solver" ? row.dataset.solver === wanted.solver : String(place[name]) === wanted[name];
      row.hidden = !Object.keys(wanted).every(fits);
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = shown === plan.length ? `${shown} rows` : `${shown} of ${plan.length} rows`;
    markCells();
  }

  function choice(name, label, texts) {
    if (texts.length < 2) return;
    const select = document.createElement("select");
    select.name = name;
    select.append(new Option("all", ""), ...texts.map((text, i) => new Option(text, i)));
    select.addEventListener("change", () => {
      if (select.value === "") delete wanted[name];
      else wanted[name] = select.value;
      filter();
    });
    filters.append(labelled(label, select));
  }

  choice("solver", "Solver", data.solvers.map((s) => s.label));
  data.axes.forEach((axis, a) => {
    const texts = axis.keys[0].values.map((_, i) => axis.keys.map((k) => k.values[i]).join(", "));
    choice(String(a), axis.keys.map((k) => k.label).join(", "), texts);
  });
  filters.append(count);
  filter();
})();
