"use strict";
// One run: how it ended, its metrics, its trace, its design, and how to do it again.

const run = (() => {
  const section = document.getElementById("run");
  const facts = section.querySelector(".facts");
  const parts = section.querySelector(".parts");
  let details;

  // What the page holds of some runs beyond their line in the list, packed; unpacked when the first is opened.
  async function unpack() {
    const packed = document.getElementById("details").textContent;
    if (!packed) return {};
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
  }

  const element = (tag, text, className = "") => Object.assign(document.createElement(tag), { textContent: text, className });

  function fact(name, value) {
    const box = document.createElement("div");
    box.append(element("dt", name), element("dd", value));
    facts.append(box);
  }

  function part(heading, ...content) {
    parts.append(element("h3", heading), ...content);
  }

  // A command with a button that copies it.
  function command(text) {
    const line = element("div", "", "command");
    const code = element("code", text);
    const copy = button("copy", async () => {
      try {
        await navigator.clipboard.writeText(text);
        copy.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(code);
        copy.textContent = "selected";
      }
      setTimeout(() => (copy.textContent = "copy"), 1500);
    });
    line.append(code, copy);
    return line;
  }

  // Many entries are told by their least, their middle and their largest.
  function entriesText(values, scale) {
    const drawn = values.map((v) => (v === null ? NaN : scaled(scale, v)));
    if (drawn.length <= 16) return drawn.map(format).join(", ");
    const sorted = drawn.filter(Number.isFinite).sort((a, b) => a - b);
    const [least, middle, largest] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)].map(format);
    return `${drawn.length} entries: smallest ${least}, median ${middle}, largest ${largest}`;
  }

  function metrics(found) {
    const table = document.createElement("table");
    for (const [index, values] of Object.entries(found)) {
      const quantity = data.quantities[index];
      const row = table.insertRow();
      row.appendChild(element("th", "")).append(element("span", axisTitle(index, "linear")));
      row.title = quantity.description;
      row.insertCell().textContent = entriesText(values, "linear");
      // Where the field uses decibels or degrees, these too.
      const more = quantity.scales.map((s) => s.name).filter((name) => name === "dB" || name === "degrees");
      row.insertCell().textContent = more.map((name) => `${entriesText(values, name)} ${name === "dB" ? "dB" : "° (root)"}`).join("; ");
    }
    const box = element("div", "", "scroll");
    box.append(table);
    return box;
  }

  function design(found) {
    const table = document.createElement("table");
    for (const [name, block] of Object.entries(found.blocks)) {
      const row = table.insertRow();
      row.appendChild(element("th", name));
      row.insertCell().textContent = block.values ?? `${block.count} numbers from ${format(number(block.least))} to ${format(number(block.most))}`;
    }
    const box = element("div", "", "scroll");
    box.append(table);
    return box;
  }

  const trace = new Figure("run-trace", "", "Trace of the run", [], (f) => {
    f.choice("show", "Show", () => [["objective", "objective"], ...(trace.bound === null ? [] : [["gap", "gap to the proven bound"]])]);
    f.choice("effort", "against", () => [["evaluations", "evaluations"], ["iterations", "iterations"], ["time", "solver time"]]);
    f.toggle("logx", "log horizontal", false);
    f.toggle("logy", "log vertical", false);
    f.changed = (name) => name === "show" && (f.state.logy = f.state.show === "gap");
    f.build = () => {
      const { show, effort, logx, logy } = f.state;
      const [iterations, evaluations, time, objective, feasible] = trace.steps;
      const xs = { iterations, evaluations, time }[effort];
      const gap = (y) => Math.abs(y - trace.bound) / (data.logarithmic ? 1 : Math.max(Math.abs(y), 1e-12));
      const points = xs.map((x, i) => ({ x, y: show === "gap" ? gap(objective[i]) : scaled(runs.scale, objective[i]), held: feasible[i] }));
      const drawn = points.filter((p) => (!logx || p.x > 0) && (!logy || p.y > 0));
      const sets = [line(trace.solver, drawn.filter((p) => p.held))];
      const missed = drawn.filter((p) => !p.held);
      if (missed.length) sets.push(line(trace.solver, missed, { layer: "misses a limit", showLine: false, pointRadius: 5, backgroundColor: "#ffffff00" }));
      const titles = { iterations: "Iterations", evaluations: "Evaluations (designs judged by the solver)", time: "Solver time (s)" };
      const y = show === "gap" ? { title: "Gap to the proven bound", log: logy } : { title: data.objective === null ? "Objective" : axisTitle(data.objective, runs.scale), log: logy };
      const reference = show === "objective" && trace.bound !== null ? [scaled(runs.scale, trace.bound)] : [];
      const text = "How to read: the objective of the best design so far. " + (missed.length ? "Open markers: it misses a limit still. " : "") +
        (reference.length ? "Dashed: the tightest proven bound of this trial. " : "") + (trace.thinned ? "Long traces are thinned." : "");
      return { sets, x: { title: titles[effort], log: logx }, y, reference, caption: { text, empty: "the run left no design." } };
    };
  });

  async function open(id) {
    const found = runs.byId.get(id);
    facts.replaceChildren();
    parts.replaceChildren();
    trace.section.hidden = true;
    section.querySelector("h2").textContent = `Run ${id}`;
    const folder = data.folder;
    if (!found) {
      parts.append(element("p", "This run is not listed on this page. The program knows all of them:"), command(`isacopt replay ${folder} ${id}`));
      return;
    }
    const { label, type } = data.solvers[found.solver];
    const plain = (text) => text.toLowerCase().replaceAll(/[ -]/g, "_");
    fact("Solver", plain(label) === plain(type) ? label : `${label} (${type})`);
    if (data.axes.length) fact("Sweep point", cellName(found.cell));
    fact("Trial", found.trial);
    fact("Ended", found.status);
    fact(data.objective === null ? "Objective" : axisTitle(data.objective, runs.scale), format(found.objective));
    fact("Gap to the proven bound", format(found.gap));
    fact("Largest relative violation", format(found.violation));
    fact("Iterations, evaluations", `${found.iterations}, ${found.evaluations}`);
    fact("Solver time", duration(found.time));
    fact("Random stream", `seed ${data.seed ?? "of the config"}, trial ${found.trial}`);
    try {
      details ??= await unpack();
    } catch {
      details = {};
    }
    // The reader may have gone on while it was unpacked.
    if (address().path[1] !== id) return;
    const more = details[id];
    if (more) {
      fact("Proven bound", more.bound === null ? "none" : format(scaled(runs.scale, more.bound)));
      if (more.reason) fact("Why it ended", more.reason);
      for (const [name, value] of Object.entries(more.facts)) fact(name, value);
      part("Metrics of its design", metrics(more.metrics));
      if (more.design) part(`Design: ${more.design.count} real numbers`, design(more.design));
      Object.assign(trace, { steps: more.trace, bound: more.bound, solver: found.solver, thinned: more.thinned });
      trace.section.hidden = !more.trace[0].length;
      if (!trace.section.hidden) trace.open();
    } else {
      parts.append(element("p", `This page holds trace, metrics and design of ${Object.keys(details).length} of ${data.total} runs, so that it opens at once; not of this one. The commands below have them.`, "note"));
    }
    part("Do it again", element("p", "The same numbers to the bit, on any number of threads:"), command(`isacopt replay ${folder} ${id}`));
    part("Its record, trace, instance and design", command(`isacopt replay ${folder} ${id} --json`), element("p", "Instance and design as a file (.json, .npz, .mat):"),
      command(`isacopt replay ${folder} ${id} --instance run-${id}.json`));
  }
  function print() {
    if (trace.section.hidden) return;
    trace.draw();
    trace.chart.resize(680, 295);
  }
  return { open, print };
})();
