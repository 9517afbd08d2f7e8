"use strict";
// Time against gap, and statistics of convergence over all problems.

const gapKnown = (runs, i) => runs.gap[i] !== null && runs.time[i] > 0;

if (data.runs.some((runs) => runs.id.some((_, i) => gapKnown(runs, i)))) figure("effort", "Time and gap", "Time against gap", ["effort"], (f) => {
  const all = [["all", "all sweep points"]];
  const kept = () => data.cells.map((_, c) => [String(c), cellName(c)]).filter((_, c) => keepsCell(c));
  f.choice("cell", "Runs of", () => (data.cells.length < 2 ? [] : all.concat(kept())), "all");
  f.build = () => {
    const wanted = data.cells.length < 2 || f.state.cell === "all" ? -1 : Number(f.state.cell);
    const positive = data.runs.flatMap((r) => r.gap.filter((gap) => gap > 0));
    const floor = positive.length ? Math.max(1e-16, 10 ** Math.floor(Math.log10(Math.min(...positive)) - 0.5)) : 1e-16;
    const median = (list) => {
      const sorted = [...list].sort((a, b) => a - b);
      const middle = (sorted.length - 1) / 2;
      return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
    };
    const sets = [];
    f.order().forEach((s) => {
      const runs = data.runs[s];
      const chosen = (cell) => (wanted < 0 ? keepsCell(cell) : cell === wanted);
      const kept = runs.time.map((_, i) => i).filter((i) => gapKnown(runs, i) && chosen(runs.cell[i]));
      if (!kept.length) return;
      const points = kept.map((i) => ({
        x: runs.time[i], y: Math.max(runs.gap[i], floor),
        note: [runs.gap[i] === 0 ? "gap 0, drawn at the lower edge" : "", data.cells.length > 1 ? cellName(runs.cell[i]) : ""].filter(Boolean),
      }));
      const style = look(s);
      sets.push(line(s, [{ x: median(points.map((p) => p.x)), y: median(points.map((p) => p.y)), note: `median of ${kept.length} runs` }],
        { showLine: false, pointRadius: 9, pointHoverRadius: 11, borderColor: style.color, pointBorderWidth: 2.5 }));
      if (kept.length > 1) {
        sets.push(line(s, points, { showLine: false, pointRadius: 2.5, backgroundColor: style.color + "70", borderColor: style.color + "70", pointBorderWidth: 1 }));
      }
    });
    const text = "How to read: a small marker is a feasible run, a large one the median of its solver; left is faster, lower is closer to the proven optimum. " +
      "Time is the solver’s own. Gaps of zero are drawn at the lower edge. Runs without a proven bound are not shown.";
    return { sets, x: { title: "Solver time (s)", log: true, room: true }, y: { title: "Gap to the proven bound", log: true, room: true }, caption: { text } };
  };
});

// The statistics of what the filters keep: there are those of the whole run, and of each point of an axis.
function keptStatistics() {
  const at = filter.points.map((kept, a) => (!kept ? null : kept.size === 1 ? [...kept][0] : -1));
  return data.benchmark.find((group) => group.at.every((point, a) => point === at[a]));
}

const STATISTICS_KINDS = ["performance_profile", "data_profile", "targets_reached", "success_rate", "running_time"];

if (data.benchmark.length) figure("benchmark", "Statistics", "Convergence over all problems", STATISTICS_KINDS, (f) => {
  const whole = data.benchmark[0];
  f.choice("show", "Show", () => [
    ["targets_reached", "targets reached"], ["performance_profile", "performance profile"], ["data_profile", "data profile"],
    ["success_rate", "success rate"], ["running_time", "expected running time"],
  ]);
  const timed = () => !["data_profile", "success_rate"].includes(f.state.show);
  f.choice("effort", "in", () => (timed() ? [["evaluations", "evaluations"], ["time", "solver time"]] : []));
  const profile = () => ["performance_profile", "data_profile"].includes(f.state.show);
  const usual = () => Object.keys((keptStatistics() ?? whole).best.data_profile);
  f.choice("target", "solved: gap at most", () => (profile() ? usual().map((t) => [t, format(10 ** (-t / 4))]) : []), "12");
  const bounds = whole.proven === whole.problems ? "the proven bound" : "the proven bound, else the best known";
  f.choice("reference", "gap to", () => [...(whole.proven ? [["bound", bounds]] : []), ["best", "the best known"]]);
  f.build = () => {
    const { show, effort, target, reference } = f.state;
    const kept = keptStatistics();
    const all = kept ?? whole;
    const time = effort === "time";
    const amount = time ? "Solver time (s)" : "Evaluations (designs judged by the solver)";
    const shares = { title: "Share of problems", range: [0, 1] };
    const gaps = { title: "Target: gap to the reference", log: true };
    const kinds = {
      performance_profile: [{ title: `Ratio to the least ${time ? "time" : "number of evaluations"} of any solver`, log: true }, shares,
        "at ratio 1 a line shows on what share of the problems that solver is the first to reach the target, at the right end on what share it reaches it at all. A line above another is better. (Dolan and Moré, 2002.)"],
      data_profile: [{ title: "Evaluations / (real numbers of the design + 1)", log: true }, shares,
        "the share of problems solved within a budget, in units of what a gradient by differences costs. (Moré and Wild, 2009.)"],
      targets_reached: [{ title: amount, log: true }, { title: "Share of problems and targets", range: [0, 1] },
        "over 25 target gaps from 1 to 10⁻⁶, four a decade, on every problem: the share of these pairs reached by then. Further left is faster, higher is closer."],
      success_rate: [gaps, shares, "the share of problems on which the solver comes as close as the target on the horizontal axis."],
      running_time: [gaps, { title: time ? "Expected solver time (s)" : "Expected evaluations", log: true },
        "what all runs spent until they hit the target or ended, over the number of runs that hit it: the cost of one success with independent restarts. Lower is better; a line ends at the closest target that was ever hit."],
    };
    let curves = all[reference][show];
    if (timed()) curves = curves[effort];
    if (profile()) curves = curves[target];
    const [x, y, words] = kinds[show];
    const stepped = profile() || show === "targets_reached";
    const ends = curves.flatMap(([places]) => places.slice(-1));
    const right = Math.max(...ends) * 1.05;
    const sets = f.order().flatMap((s) => {
      const points = curves[s][0].map((place, i) => ({ x: place, y: curves[s][1][i] }));
      if (stepped && points.length) {
        points.unshift({ x: show === "performance_profile" ? Math.min(1, points[0].x) : points[0].x, y: points[0].x === 1 && show === "performance_profile" ? points[0].y : 0 });
        points.push({ x: right, y: points.at(-1).y });
      }
      return points.length ? [line(s, points, stepped ? { stepped: "before", pointRadius: 0, pointHitRadius: 5 } : {})] : [];
    });
    const from = reference === "best" || !all.proven ? "the best objective that any solver of this run reached"
      : all.proven === all.problems ? "the tightest proven bound of the problem"
      : `the tightest proven bound on ${all.proven} of the problems, and on the others, which have none, the best objective that any solver reached`;
    const problems = all.problems === 1 ? "1 problem" : `${all.problems} problems`;
    const text = `How to read: ${words}${profile() ? ` Solved: a gap of at most ${format(10 ** (-target / 4))}.` : ""} Over ${problems} (trials of sweep points that all solvers were run on and one solved to feasibility); gaps are measured from ${from}. Runs without a feasible design, of whatever end, count as unsolved.`;
    const stored = data.benchmark.length > 1 ? "the whole sweep and each single value of it" : "the whole sweep alone";
    const over = kept ? "" : ` The filter by sweep value does not act here: the page has these statistics for ${stored}.`;
    const last = over + (filter.solvers ? " Solvers that are filtered out still count as competitors." : "");
    return { sets, x, y, caption: { text: text + last, empty: "no solver reached the target on any problem." } };
  };
});

