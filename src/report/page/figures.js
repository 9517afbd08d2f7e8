"use strict";
// The figures of single sweep points and along the sweep: what each can show, from the aggregated data.

const S = data.solvers.length;
const trialsWord = (n) => (n === 1 ? "1 trial" : `${n} trials`);

function quantityChoices(keep = () => true) {
  return data.quantities.map((q, i) => [String(i), q.name, q]).filter(([i, , q]) => keep(q, i)).map(([i, n]) => [i, n]);
}

function scaleChoices(index) {
  const names = { linear: "linear", log: "logarithmic", dB: "decibels", degrees: "root, degrees" };
  return (data.quantities[index]?.scales ?? []).map((s) => [s.name, names[s.name]]);
}

function axisTitle(index, scale, reduction) {
  const quantity = data.quantities[index];
  const title = quantity.scales.find((s) => s.name === scale)?.axis ?? quantity.name;
  return quantity.vector && reduction ? `${title}, ${reduction} of its entries` : title;
}

// Whether an axis shows a squared angle, and in which scale.
function squared(index, scale) {
  const angles = data.quantities[index].scales.some((s) => s.name === "degrees");
  return angles && scale !== "degrees" ? scale : undefined;
}

function better(index) {
  const sign = data.quantities[index].better;
  return sign > 0 ? "Higher is better." : sign < 0 ? "Lower is better." : "";
}

// Centre and spread of a quantity: the row of `spreads` at a cell and solver, through a scale.
function spreadAt(index, reduction, cell, solver, scale, statistic) {
  const rows = data.spreads[`${index}/${data.quantities[index].vector ? reduction : "mean"}`];
  const row = cell < 0 ? null : rows?.[cell * S + solver];
  if (!row) return null;
  const [count, median, q1 = median, q3 = median, mean = median, error = 0] = row;
  const on = (v) => scaled(scale, v);
  if (statistic === "mean") return { count, y: on(mean), low: on(mean - error), high: on(mean + error) };
  return { count, y: on(median), low: on(q1), high: on(q3) };
}

// A simulated value through a scale, with its 95 % interval; a row is [mean, error, median, error].
function simulatedPoint(row, scale, statistic, x, name, note) {
  if (!row) return [];
  const [value, error] = statistic === "mean" ? row.slice(0, 2) : row.slice(2);
  const [y, low, high] = [value, value - 1.96 * error, value + 1.96 * error].map((v) => scaled(scale, v));
  return [{ x, y, low, high, name, note: note + ", 95 % interval" }];
}

const ESTIMATORS = ["cross", "crossRot", "star", "rectRot"];
const REDUCTIONS = [["mean", "mean of entries"], ["smallest", "smallest entry"], ["largest", "largest entry"]];
const STATISTICS = [["median", "median, quartiles"], ["mean", "mean ± standard error"]];
const severalTrials = data.cells.some((c) => c.trials > 1);
const STATISTIC = () => (severalTrials ? STATISTICS : STATISTICS.slice(0, 1));

function comparedText(cell) {
  const { compared, trials } = data.cells[cell] ?? { compared: 0, trials: 0 };
  return compared === trials ? trialsWord(trials) : `${compared} of ${trialsWord(trials)} (those in which all compared solvers are feasible)`;
}

if (data.convergence.length) figure("convergence", "Convergence", "Convergence", ["convergence"], (f) => {
  const objective = data.objective;
  const hasGap = data.convergence.some((c) => c.iterations.gap);
  f.choice("show", "Show", () => [["objective", "objective"], ...(hasGap ? [["gap", "gap to the proven bound"]] : [])]);
  f.choice("scale", "as", () => (f.state.show === "objective" ? scaleChoices(objective).filter(([n]) => n !== "log") : []));
  f.choice("effort", "against", () => [["iterations", "iterations"], ["evaluations", "evaluations"], ["time", "solver time"]]);
  f.places();
  f.toggle("logx", "log horizontal", false);
  f.toggle("logy", "log vertical", false);
  // Solvers of very different length are only seen together on a logarithmic axis.
  const apart = () => {
    const ends = data.convergence.filter((c) => c.cell === f.cell()).map((c) => c[f.state.effort].x.at(-1));
    return Math.max(...ends) > 8 * Math.min(...ends);
  };
  f.state.logx = apart();
  f.changed = (name) => {
    if (name === "show") f.state.logy = f.state.show === "gap";
    if (name === "effort") f.state.logx = apart();
  };
  f.build = () => {
    const { show, effort, logx, logy } = f.state;
    const cell = f.cell();
    const scale = show === "gap" ? "linear" : f.state.scale;
    const shown = data.convergence.filter((c) => c.cell === cell && c[effort][show]);
    const curves = f.order().flatMap((s) => shown.filter((c) => c.solver === s));
    const values = curves.flatMap((c) => c[effort][show][0]);
    const least = Math.min(...values.filter((v) => v > 0));
    const floor = show === "gap" && logy && Number.isFinite(least) ? 10 ** Math.floor(Math.log10(least) - 0.5) : 0;
    const on = (v) => {
      const value = scaled(scale, v);
      return logy && !(value > 0) ? (value === 0 && floor ? floor : NaN) : value;
    };
    const sets = curves.map((c) => {
      const [middle, low = [], high = []] = c[effort][show];
      const points = c[effort].x.map((x, i) => ({ x, y: on(middle[i]), low: on(low[i]), high: on(high[i]) }));
      return line(c.solver, points.filter((p) => !logx || p.x > 0), { spread: "band" });
    });
    const bound = on(data.bounds[cell]);
    const ends = sets.flatMap((s) => s.data.map((p) => p.x));
    if (show === "objective" && Number.isFinite(bound) && ends.length) {
      const at = (x) => ({ x, y: bound });
      sets.push({
        solver: -1, label: "Proven bound", data: [at(Math.min(...ends)), at(Math.max(...ends))], showLine: true,
        borderColor: theme().grey, borderDash: [4, 3], borderWidth: 1.5, pointRadius: 0, pointHitRadius: 4,
      });
    }
    const efforts = { iterations: "Iterations", evaluations: "Evaluations (designs judged by the solver)", time: "Solver time (s)" };
    const title = show === "gap" ? "Gap to the proven bound" : axisTitle(objective, scale);
    const way = show === "gap" ? "Lower is better." : better(objective);
    const several = curves.some((c) => c.trials > 1);
    const text =
      `How to read: a line is a solver; it shows the ${show === "gap" ? "gap" : "objective"} of its best feasible design so far` +
      (several ? `, the median over ${comparedText(cell)}, with a band from the lower to the upper quartile. A line begins where half of the trials have a feasible design; runs that have ended stay where they ended. ` : ". ") +
      way + (show === "gap" && logy ? " Gaps of zero are drawn at the lower edge." : "") +
      " Click the legend to hide a solver; point at a line for its values.";
    return {
      sets, x: { title: efforts[effort], log: logx },
      y: { title, log: logy, squared: show === "gap" ? undefined : squared(objective, scale) },
      caption: { text, empty: show === "gap" ? "not every compared trial has a proven bound." : undefined },
    };
  };
});

// The keys that can be the horizontal axis, as "AXIS/KEY".
const sweptKeys = data.axes.flatMap((axis, a) => axis.keys.map((key, k) => [`${a}/${k}`, key.label]));

function sweptAxis(choice) {
  const [a, k] = choice.split("/").map(Number);
  const key = data.axes[a].keys[k];
  const title = key.unit ? `${key.label} (${key.unit})` : key.label;
  const numeric = key.numbers && key.numbers.length > 1;
  return { a, key, title: title[0].toUpperCase() + title.slice(1), numeric, at: (i) => (numeric ? key.numbers[i] : i) };
}

if (data.axes.length) figure("sweep", "Sweep", "A metric over the sweep", ["sweep"], (f) => {
  f.choice("metric", "Show", () => quantityChoices(), data.objective === null ? "0" : String(data.objective));
  f.choice("reduction", "", () => (data.quantities[f.state.metric].vector ? REDUCTIONS : []));
  f.choice("scale", "as", () => scaleChoices(f.state.metric));
  f.choice("key", "against", () => sweptKeys);
  f.places(() => sweptAxis(f.state.key).a);
  f.choice("statistic", "spread", STATISTIC);
  f.toggle("logx", "log horizontal", false);
  f.changed = (name) => {
    if (name === "metric") f.state.scale = undefined;
  };
  f.build = () => {
    const { metric, reduction, scale, statistic } = f.state;
    const swept = sweptAxis(f.state.key);
    const logx = f.state.logx && swept.numeric && swept.key.numbers.every((n) => n > 0);
    const sets = [];
    const simulatedKey = `${metric}/${data.quantities[metric].vector ? reduction : "mean"}`;
    const estimators = Object.entries(data.estimated[simulatedKey] ?? {});
    for (const s of f.order()) {
      const points = swept.key.values.flatMap((name, i) => {
        const cell = f.cell(swept.a, i);
        const found = spreadAt(metric, reduction, cell, s, scale, statistic);
        if (!found) return [];
        const { compared, trials } = data.cells[cell];
        return [{ x: swept.at(i), name, ...found, note: severalTrials ? `over ${compared} of ${trialsWord(trials)}` : "" }];
      });
      if (swept.numeric) points.sort((a, b) => a.x - b.x);
      if (points.length) sets.push(line(s, points, { spread: statistic === "mean" ? "bars" : "band" }));
      const markers = (rows, layer, pointStyle) => {
        const found = swept.key.values.flatMap((name, i) =>
          simulatedPoint(rows[f.cell(swept.a, i) * S + s], scale, statistic, swept.at(i), name, layer));
        if (found.length) {
          sets.push(line(s, found, { layer, pointStyle, showLine: false, spread: "bars", pointRadius: 7, backgroundColor: "#ffffff00" }));
        }
      };
      if (data.simulated[simulatedKey]) markers(data.simulated[simulatedKey], "Monte-Carlo", "circle");
      estimators.forEach(([name, rows], i) => markers(rows, name + " MSE", ESTIMATORS[i % ESTIMATORS.length]));
    }
    const spread = statistic === "mean" ? "the mean, with bars of one standard error to each side" : "the median, with a band from the lower to the upper quartile";
    const text =
      `How to read: a line is a solver, a point is ${severalTrials ? spread + ", over the trials in which all solvers compared at that point are feasible" : "its value at that point of the sweep"}. ` +
      `${data.quantities[metric].description} ${better(metric)}` +
      (data.simulated[simulatedKey] ? " Open circles: Monte-Carlo of the raw signal model with 95 % intervals." : "") +
      (estimators.length ? " MSE: mean square error of an estimator of the angle, with 95 % intervals; the curve is its lower bound." : "");
    const x = { title: swept.title, log: logx, names: swept.numeric ? undefined : swept.key.values };
    const y = { title: axisTitle(metric, scale, reduction), log: scale === "log", squared: squared(metric, scale) };
    return { sets, x, y, caption: { text } };
  };
});

// The points that no other beats in one quantity without being worse in the other. Drawn figures have their own such
// rule in the program; here the reader chooses quantities, scales, solvers and points, so the marks follow on the page.
function nondominated(points, signX, signY) {
  const wins = (a, b, sign) => sign * (a - b) > 1e-6 * Math.max(Math.abs(a), Math.abs(b));
  return points.filter(
    (p) => !points.some((o) =>
      (wins(o.x, p.x, signX) && !wins(p.y, o.y, signY)) || (wins(o.y, p.y, signY) && !wins(p.x, o.x, signX))),
  );
}

if (data.quantities.length > 1) figure("tradeoff", "Trade-off", "One metric against another", ["tradeoff"], (f) => {
  const choices = quantityChoices();
  const first = data.objective ?? 0;
  // The other side of the trade: what is best known to get better the other way, else the next metric.
  const other = ["crlb", "sensing", "power"].map((w) => data.quantities.findIndex((q, i) => i !== first && q.id.includes(w))).find((i) => i >= 0);
  f.choice("mx", "Horizontal", () => choices, String(other ?? (first === 0 ? 1 : 0)));
  f.choice("rx", "", () => (data.quantities[f.state.mx].vector ? REDUCTIONS : []));
  f.choice("sx", "as", () => scaleChoices(f.state.mx));
  f.choice("my", "Vertical", () => choices, String(first));
  f.choice("ry", "", () => (data.quantities[f.state.my].vector ? REDUCTIONS : []));
  f.choice("sy", "as", () => scaleChoices(f.state.my));
  f.choice("key", "along", () => sweptKeys);
  const along = () => (f.state.key ? sweptAxis(f.state.key) : null);
  f.places(() => along()?.a ?? -1);
  f.choice("statistic", "value", () => STATISTIC().map(([name]) => [name, name]));
  f.changed = (name) => {
    if (name === "mx") f.state.sx = undefined;
    if (name === "my") f.state.sy = undefined;
  };
  f.build = () => {
    const { mx, rx, sx, my, ry, sy, statistic } = f.state;
    const swept = along();
    const sets = [];
    for (const s of f.order()) {
      const order = swept ? swept.key.values.map((name, i) => [name, f.cell(swept.a, i)]) : [["", data.cells.length ? 0 : -1]];
      const points = order.flatMap(([name, cell]) => {
        const h = spreadAt(mx, rx, cell, s, sx, statistic);
        const v = spreadAt(my, ry, cell, s, sy, statistic);
        return h && v && Number.isFinite(h.y) && Number.isFinite(v.y)
          ? [{ x: h.y, y: v.y, note: swept ? `${swept.title}: ${name}` : "" }] : [];
      });
      if (points.length) sets.push(line(s, points));
    }
    const [signX, signY] = [data.quantities[mx].better, data.quantities[my].better];
    const known = signX !== 0 && signY !== 0;
    const best = known ? nondominated(sets.flatMap((set) => set.data), signX, signY) : [];
    for (const set of [...sets]) {
      const marked = set.data.filter((p) => best.includes(p));
      if (marked.length) {
        sets.push({ ...set, data: marked, showLine: false, pointStyle: "circle", pointRadius: 9, pointHoverRadius: 9, backgroundColor: "#ffffff00", pointBorderWidth: 1.2, mark: true });
      }
    }
    const text =
      `How to read: a line is a solver${swept ? ", a point is a sweep value, in sweep order" : ""}${severalTrials ? ` (${statistic} over the compared trials)` : ""}. ` +
      (known ? "Rings mark nondominated points: no other point shown is better in one quantity without being worse in the other. "
        : "Nondominated points are marked where the results say for both quantities which way is better. ") +
      [["Horizontal", mx], ["Vertical", my]].map(([n, m]) => (better(m) ? `${n}: ${better(m).toLowerCase()}` : "")).join(" ");
    const title = (m, s, r) => axisTitle(m, s, r);
    return {
      sets, caption: { text },
      x: { title: title(mx, sx, rx), log: sx === "log", squared: squared(mx, sx) },
      y: { title: title(my, sy, ry), log: sy === "log", squared: squared(my, sy) },
    };
  };
});

if (Object.keys(data.cdf).length) figure("distribution", "Distribution", "Distribution over users and drops", ["cdf"], (f) => {
  const choices = quantityChoices((_, i) => data.cdf[i]);
  const usual = ["rate", "sinr"].map((id) => choices.find(([i]) => data.quantities[i].id === id)).find((c) => c);
  const vector = usual ?? choices.find(([i]) => data.quantities[i].vector);
  f.choice("metric", "Show", () => choices, (vector ?? choices[0])[0]);
  f.choice("scale", "as", () => scaleChoices(f.state.metric));
  f.places();
  f.changed = (name) => {
    if (name === "metric") f.state.scale = undefined;
  };
  f.build = () => {
    const { metric, scale } = f.state;
    const cell = f.cell();
    const sets = [];
    const marks = [];
    for (const s of f.order()) {
      const row = data.cdf[metric]?.[cell * S + s];
      if (!row) continue;
      const [count, five, median, values] = row;
      const last = values.length - 1;
      // Where all values are kept, the share steps to i / n at the i-th of n; else the values are quantiles.
      const whole = count === values.length;
      const share = (i) => (whole ? (i + 1) / count : i / last);
      const points = values.map((v, i) => ({ x: scaled(scale, v), y: share(i), note: `${count} values` }));
      if (whole) points.unshift({ ...points[0], y: 0 });
      const kept = points.filter((p) => Number.isFinite(p.x));
      sets.push(line(s, kept, { pointRadius: 0, pointHitRadius: 5, stepped: whole ? "before" : false }));
      const at = [[five, 0.05], [median, 0.5]].map(([v, y]) => ({ x: scaled(scale, v), y, note: y < 0.5 ? "5 % quantile" : "median" }));
      sets.push(line(s, at.filter((p) => Number.isFinite(p.x)), { showLine: false, pointRadius: 6, mark: true }));
      marks.push([f.name(s), format(scaled(scale, five)), format(scaled(scale, median)), String(count)]);
    }
    const title = axisTitle(metric, scale);
    f.marks(["Solver", "5 % quantile", "Median", "Values"], marks, title);
    const pooled = data.quantities[metric].vector ? "all entries (users, access points) of all compared trials" : "the compared trials";
    const text = `How to read: the height of a line is the share of values at or below the place on the horizontal axis, over ${pooled}. ` +
      `Markers: the 5 % quantile, which 95 % exceed, and the median. ${better(metric)} Trials: ${comparedText(cell)}.`;
    return {
      sets, reference: [0.05, 0.5], x: { title, log: scale === "log", squared: squared(metric, scale) },
      y: { title: "Cumulative share", range: [0, 1] }, caption: { text },
    };
  };
  f.marks = (head, rows, title) => {
    const table = document.createElement("table");
    table.createCaption().textContent = title;
    const row = (parent, cells, tag) => {
      const tr = document.createElement("tr");
      for (const text of cells) tr.appendChild(document.createElement(tag)).textContent = text;
      parent.append(tr);
    };
    row(table.createTHead(), head, "th");
    rows.forEach((cells) => row(table.tBodies[0] ?? table.createTBody(), cells, "td"));
    f.part("marks").replaceChildren(...(rows.length ? [table] : []));
  };
});

