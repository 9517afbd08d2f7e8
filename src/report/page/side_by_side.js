"use strict";
// Two experiments: the differences of their results in pairs.

figure("differences", "", "The differences, pair by pair", [], (f) => {
  const of = (s) => data.paired.find((p) => p.solver === s && String(p.quantity) === f.state.quantity);
  const names = { linear: "linear", dB: "decibels" };
  f.choice("quantity", "Show", () => data.quantities.map((q, i) => [String(i), q.name]), String(data.objective));
  f.choice("show", "as", () => [["difference", "second − first"], ["scatter", "second against first"]]);
  f.choice("scale", "in", () => data.quantities[f.state.quantity].scales.map((s) => [s.name, names[s.name]]));
  f.changed = (name) => name === "quantity" && (f.state.scale = undefined);
  f.build = () => {
    const { quantity, show, scale } = f.state;
    const { name, better, scales } = data.quantities[quantity];
    const axis = scales.find((s) => s.name === scale).axis;
    const way = better > 0 ? "Above the line the second is better." : better < 0 ? "Below the line the second is better." : "";
    const solvers = data.solvers.map((_, s) => s).filter(of);
    const sets = [];
    if (show === "scatter") {
      for (const s of solvers) {
        const [first, second] = of(s).pairs;
        sets.push(line(s, first.map((x, i) => ({ x: scaled(scale, x), y: scaled(scale, second[i]) })), { showLine: false, pointRadius: 3.5 }));
      }
      const all = sets.flatMap((set) => set.data.flatMap((p) => [p.x, p.y])).filter(Number.isFinite);
      const ends = [Math.min(...all), Math.max(...all)].map((v) => ({ x: v, y: v }));
      if (all.length) sets.push({ solver: -1, label: "equal", data: ends, showLine: true, borderColor: theme().grey, borderDash: [4, 3], borderWidth: 1.5, pointRadius: 0 });
      const text = `How to read: a marker is a pair of runs, the same sweep point, trial and solver in both experiments. ${way}`;
      return { sets, x: { title: `${axis}, first` }, y: { title: `${axis}, second` }, caption: { text } };
    }
    solvers.forEach((s, place) => {
      const paired = of(s);
      if (!paired[scale]) return;
      const [five, q1, median, q3, ninetyFive, mean] = paired[scale];
      const note = `mean ${format(mean)}; 5 % to 95 %: ${format(five)} to ${format(ninetyFive)}`;
      sets.push(line(s, [{ x: place, y: median, low: q1, high: q3, name: data.solvers[s].label, note }], { showLine: false, pointRadius: 8, spread: "bars" }));
      const [first, second] = paired.pairs;
      // Spread out sideways, always in the same way, so that equal differences are all seen.
      const points = first.map((x, i) => ({ x: place + 0.09 + 0.16 * ((i * 0.618) % 1), y: scaled(scale, second[i]) - scaled(scale, x), name: data.solvers[s].label }));
      const pale = look(s).color + "70";
      sets.push(line(s, points, { showLine: false, pointRadius: 2.5, backgroundColor: pale, borderColor: pale, pointBorderWidth: 1 }));
    });
    const text = "How to read: a small marker is a pair of runs (of very many, evenly chosen ones), the large one the median of its solver with a bar from the lower to the upper quartile; the dashed line is no difference. " + way;
    const unit = scale === "dB" ? `${name}: second − first (dB)` : `${axis}: second − first`;
    return { sets, reference: [0], x: { title: "Solver", names: solvers.map((s) => data.solvers[s].label) }, y: { title: unit }, caption: { text } };
  };
});

(() => {
  const table = document.getElementById("paired-table");
  sortableRows(table);
  const rows = [...table.tBodies[0].rows];
  const controls = document.querySelector("#paired .controls");
  for (const [name, column] of [["Solver", 0], ["Quantity", 1]]) {
    const select = document.createElement("select");
    const values = [...new Set(rows.map((row) => row.cells[column].textContent))];
    select.name = name.toLowerCase();
    select.append(new Option("all", ""), ...values.map((value) => new Option(value)));
    select.addEventListener("change", () => {
      const wanted = [...controls.querySelectorAll("select")].map((s) => s.value);
      for (const row of rows) row.hidden = wanted.some((value, i) => value && row.cells[i].textContent !== value);
    });
    if (values.length > 1) controls.append(labelled(name, select));
  }
  const show = () => {
    for (const f of figures.values()) {
      f.section.hidden = !data.paired.length;
      if (data.paired.length) f.open();
    }
  };
  dark.addEventListener("change", show);
  window.addEventListener("beforeprint", () => {
    onPaper = true;
    show();
    figures.get("differences").chart?.resize(680, 295);
  });
  window.addEventListener("afterprint", () => {
    onPaper = false;
    show();
  });
  show();
})();
