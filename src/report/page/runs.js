"use strict";
// The single runs: their list, and what is known of one.

const runs = (() => {
  const section = document.getElementById("runs");
  const scale = data.objective === null ? "linear" : data.quantities[data.objective].scales[0].name === "dB" ? "dB" : "linear";
  const all = data.runs.flatMap((list, solver) => list.id.map((id, i) => ({
    id, solver, cell: list.cell[i], trial: list.trial[i], status: data.statuses[list.status[i]], objective: scaled(scale, list.objective[i]),
    violation: number(list.violation[i]), gap: number(list.gap[i]), iterations: list.iterations[i], evaluations: list.evaluations[i], time: number(list.time[i]),
  }))).sort((a, b) => a.cell - b.cell || a.trial - b.trial || a.solver - b.solver);
  const byId = new Map(all.map((run) => [run.id, run]));

  // Heading, value to sort by, text; numbers unless it says otherwise.
  const COLUMNS = [
    ...data.axes.flatMap((axis, a) => axis.keys.map((key) => ({
      head: key.label.replace(/^./, (letter) => letter.toUpperCase()), value: (run) => (key.numbers ?? key.values)[data.cells[run.cell].place[a]],
      text: (run) => key.values[data.cells[run.cell].place[a]], words: !key.numbers,
    }))),
    { head: "Solver", value: (run) => data.solvers[run.solver].label, words: true },
    { head: "Trial", value: (run) => run.trial },
    { head: "Ended", value: (run) => run.status, words: true },
    { head: data.objective === null ? "Objective" : axisTitle(data.objective, scale), value: (run) => run.objective, text: (run) => format(run.objective) },
    { head: "Violation", value: (run) => run.violation, text: (run) => format(run.violation) },
    { head: "Gap", value: (run) => run.gap, text: (run) => format(run.gap) },
    { head: "Iterations", value: (run) => run.iterations },
    { head: "Evaluations", value: (run) => run.evaluations },
    { head: "Time", value: (run) => run.time, text: (run) => duration(run.time) },
    { head: "Run", value: (run) => run.id, words: true },
  ];

  const STEP = 200;
  const table = section.querySelector("table");
  const body = table.createTBody();
  const wanted = { row: null, status: "", text: "" };
  const more = Object.assign(button("", () => fill(body.rows.length + STEP)), { className: "more" });
  let [column, sign] = [0, 0];
  let listed = all;

  const head = table.createTHead().insertRow();
  for (const { head: text } of COLUMNS) {
    const label = document.createElement("span");
    label.textContent = text;
    head.appendChild(document.createElement("th")).append(label);
  }
  sortable(head, (chosen, way) => {
    [column, sign] = [chosen, way];
    list();
  });

  const status = document.createElement("select");
  status.name = "status";
  status.append(new Option("all", ""), ...data.statuses.map((name) => new Option(name, name)));
  const find = Object.assign(document.createElement("input"), { type: "search", name: "find", placeholder: "beginning of its name" });
  const whole = button("runs of all rows", () => (location.hash = link(["runs"])));
  status.addEventListener("change", () => ((wanted.status = status.value), list()));
  find.addEventListener("input", () => ((wanted.text = find.value.trim()), list()));
  const count = document.createElement("span");
  section.querySelector(".controls").append(labelled("Ended", status), labelled("Run", find), count, whole);
  section.querySelector(".scroll").after(more);

  function list() {
    listed = ordered(all.filter((run) => {
      if (wanted.row && (run.cell !== wanted.row[0] || run.solver !== wanted.row[1])) return false;
      return keepsSolver(run.solver) && keepsCell(run.cell) && (!wanted.status || run.status === wanted.status) && run.id.startsWith(wanted.text);
    }), COLUMNS[column].value, !COLUMNS[column].words, sign);
    const of = data.total > all.length ? ` of ${all.length} listed here, of ${data.total} in all` : listed.length < all.length ? ` of ${all.length}` : "";
    count.textContent = `${listed.length}${of} runs`;
    whole.hidden = !wanted.row;
    body.replaceChildren();
    fill(STEP);
  }

  function fill(until) {
    for (const run of listed.slice(body.rows.length, until)) {
      const row = body.insertRow();
      for (const { value, text } of COLUMNS) row.insertCell().textContent = text ? text(run) : value(run);
      const last = row.lastElementChild;
      const anchor = Object.assign(document.createElement("a"), { href: link(["run", run.id]), textContent: run.id });
      last.replaceChildren(anchor);
      row.addEventListener("click", () => getSelection().toString() || (location.hash = anchor.hash));
    }
    more.hidden = body.rows.length >= listed.length;
    more.textContent = `show ${Math.min(STEP, listed.length - body.rows.length)} more`;
  }

  // Opens the list; `row` limits it to a row of the results: CELL.SOLVER.
  function open(row) {
    const limits = /^(\d+)\.(\d+)$/.exec(row ?? "");
    wanted.row = limits ? limits.slice(1).map(Number) : null;
    list();
  }
  return { open, byId, scale };
})();

function number(value) {
  return value ?? NaN;
}

function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const [factor, unit] = seconds >= 1 || seconds === 0 ? [1, "s"] : seconds >= 1e-3 ? [1e3, "ms"] : seconds >= 1e-6 ? [1e6, "µs"] : [1e9, "ns"];
  return `${Number((seconds * factor).toPrecision(3))} ${unit}`;
}
