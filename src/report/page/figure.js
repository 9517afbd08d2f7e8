"use strict";
// What all figures have: controls, a legend, a chart, a caption, and files of what is seen. A figure is drawn when its
// page is opened.

// The figures that the run has something for, by id.
const figures = new Map();

// `short` is its name among the pages, `kinds` are the config's figures that it can show; `setUp` gives it its controls and
// its `build`.
function figure(id, short, title, kinds, setUp) {
  figures.set(id, new Figure(id, short, title, kinds, setUp));
}

class Figure {
  constructor(id, short, title, kinds, setUp) {
    this.section = document.getElementById(id);
    Object.assign(this, { id, short, title, setUp, state: {}, hidden: new Set(), controls: [] });
    // The figures of this kind that the config asks for: the first is shown, and all can be chosen.
    this.asked = data.figures.filter((asked) => kinds.includes(asked.kind));
    this.files = data.files.filter((file) => kinds.includes(file.kind));
  }

  part(name) {
    return this.section.querySelector("." + name);
  }

  start() {
    const names = this.asked.map((asked, i) => [String(i), asked.title ?? asked.name]);
    this.choice("figure", "Figure", () => (names.length ? [...names, ["free", "free choice"]] : []));
    this.setUp(this);
    const buttons = document.createElement("span");
    buttons.className = "buttons";
    buttons.append(button("PNG", () => this.savePicture()), button("CSV", () => this.saveData()));
    this.part("controls").append(buttons);
    this.defaults = { ...this.state };
    if (this.asked.length) this.arrange("0");
  }

  // Shows the figure as an address asks: one of the config's by name, and controls that were changed.
  open(name = "", view = "") {
    if (!this.defaults) this.start();
    const wanted = name + "?" + view;
    if (wanted !== "?" && wanted !== this.opened) {
      const index = this.asked.findIndex((asked) => asked.name === name);
      this.arrange(index < 0 ? "free" : String(index));
      for (const part of view.split(",").filter(Boolean)) {
        const [control, value] = part.split(":");
        if (control in this.defaults) this.state[control] = typeof this.defaults[control] === "boolean" ? value === "true" : value;
        this.loosen();
      }
      this.opened = wanted;
    }
    this.refresh();
  }

  // Sets the controls as a figure of the config says; freely chosen ones as they stand without it.
  arrange(index) {
    this.preset = this.arranged = this.asked[index] ?? null;
    const wanted = this.preset?.state ?? {};
    this.state = { ...this.defaults, ...wanted, figure: this.asked.length ? index : undefined };
    // Where another metric comes without a scale, or another effort without one, they have their usual ones.
    for (const [metric, scale] of [["metric", "scale"], ["mx", "sx"], ["my", "sy"]]) {
      if (metric in wanted && !(scale in wanted)) this.state[scale] = undefined;
    }
    if (this.preset && !("logx" in wanted)) this.changed?.("effort");
  }

  // Ranges and words of the config's figure are for what it shows; its solvers stay as they are.
  loosen() {
    this.preset = null;
    if (this.asked.length) this.state.figure = "free";
  }

  // The solvers to draw, in order.
  order() {
    const all = this.arranged?.solvers.length ? this.arranged.solvers : data.solvers.map((_, s) => s);
    return all.filter(keepsSolver);
  }

  name(solver) {
    return this.arranged?.labels[solver] ?? data.solvers[solver].label;
  }

  // A drop-down list; `options` gives [value, text] pairs and may depend on the state. Hidden where there is no choice.
  choice(name, label, options, initial) {
    const select = document.createElement("select");
    const box = labelled(label, select);
    select.name = name;
    this.state[name] = initial ?? options()[0]?.[0];
    select.addEventListener("change", () => this.set(name, select.value));
    this.part("controls").append(box);
    let known = "";
    this.controls.push(() => {
      const list = options();
      if (list.length && !list.some(([value]) => value === this.state[name])) this.state[name] = list[0][0];
      if (JSON.stringify(list) !== known) {
        known = JSON.stringify(list);
        select.replaceChildren(...list.map(([value, text]) => new Option(text, value)));
      }
      select.value = this.state[name];
      box.hidden = list.length < 2;
    });
  }

  toggle(name, label, initial) {
    const input = document.createElement("input");
    input.type = "checkbox";
    input.name = name;
    this.state[name] = initial;
    input.addEventListener("change", () => this.set(name, input.checked));
    this.part("controls").append(labelled(label, input, true));
    this.controls.push(() => (input.checked = this.state[name]));
  }

  // Choices of the sweep point on every axis but those that `free` names.
  places(free = () => -1) {
    data.axes.forEach((axis, a) => {
      const key = axis.keys[0];
      const points = () => axis.keys[0].values.map((_, i) => [String(i), pointText(axis, i)]).filter((_, i) => keepsPoint(a, i));
      const usual = String(data.cells[data.cell]?.place[a] ?? 0);
      this.choice("place" + a, key.label, () => (free() === a ? [] : points()), usual);
    });
  }

  // The cell at the chosen places; on axis `free` at the given point. None where the sweep has no such cell.
  cell(free = -1, point = 0) {
    const place = data.axes.map((_, a) => (a === free ? point : Number(this.state["place" + a])));
    return data.cells.findIndex((cell, c) => cell.place.every((p, a) => p === place[a]) && keepsCell(c));
  }

  set(name, value) {
    if (name === "figure") this.arrange(value);
    else {
      this.state[name] = value;
      this.loosen();
      this.changed?.(name);
    }
    this.refresh();
    if (address().path[0] === "figure") history.replaceState(null, "", this.address());
  }

  // The address under which the figure opens as it stands.
  address() {
    const changed = Object.entries(this.state).filter(([name, value]) => name !== "figure" && value !== undefined && value !== this.defaults[name]);
    const view = this.preset ? "" : changed.map((pair) => pair.join(":")).join(",");
    const path = ["figure", this.id, ...(this.arranged ? [this.arranged.name] : [])];
    this.opened = (this.arranged?.name ?? "") + "?" + view;
    return link(path, { view });
  }

  refresh() {
    for (const update of this.controls) update();
    this.draw();
  }

  draw() {
    const { sets, x, y, reference, caption } = this.build();
    this.chart?.destroy();
    const asked = this.preset;
    for (const [axis, wanted] of [[x, asked?.x], [y, asked?.y]]) {
      axis.title = wanted?.label ?? axis.title;
      axis.range = wanted?.range ?? axis.range;
    }
    for (const set of sets) {
      if (set.solver >= 0) set.label = this.name(set.solver) + (set.layer ? ": " + set.layer : "");
      if (asked?.spread === false && !set.layer) set.spread = undefined;
    }
    if (asked?.title) caption.text = asked.title.replace(/\.?$/, ". ") + caption.text;
    const xs = sets.flatMap((s) => s.data.map((p) => p.x));
    const ys = sets.flatMap((s) => s.data.flatMap((p) => [p.y, p.low, p.high]));
    const empty = !ys.some(Number.isFinite);
    this.axes = { x, y };
    this.part("plot").hidden = this.part("legend").hidden = empty;
    this.chart = new Chart(this.section.querySelector(".plot canvas"), {
      type: "scatter",
      data: { datasets: sets },
      plugins: [spreads],
      options: {
        reference,
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        devicePixelRatio: Math.max(2, window.devicePixelRatio || 1),
        parsing: false,
        locale: "en-US",
        interaction: { mode: "nearest", intersect: false, axis: "xy" },
        layout: { padding: { right: 12, top: 6 } },
        scales: { x: axis(x, xs), y: axis(y, ys) },
        plugins: {
          legend: { display: false },
          tooltip: {
            usePointStyle: true,
            callbacks: {
              title: (items) => items[0]?.dataset.label ?? "",
              label: (item) => hover(item, x, y),
            },
          },
        },
      },
    });
    this.legend();
    const nothing = filtered() ? "the filters leave nothing of it, or " + (caption.empty ?? NO_TRIAL) : caption.empty ?? NO_TRIAL;
    this.part("caption").textContent = empty ? "Nothing to draw here: " + nothing : caption.text;
    this.section.querySelector("h2").textContent = this.arranged?.title ?? this.title;
    const own = this.files.filter((file) => !this.arranged || file.name === this.arranged.name);
    this.part("files").replaceChildren(...paperLinks(own));
  }

  legend() {
    // An entry a solver, and one for each kind of further markers, whatever solver they belong to.
    const groups = new Map();
    for (const set of this.chart.data.datasets) if (!set.layer && !groups.has(set.solver)) groups.set(set.solver, set);
    for (const set of this.chart.data.datasets) {
      if (set.layer && !groups.has(set.layer)) groups.set(set.layer, { ...set, label: set.layer, borderColor: theme().ink });
    }
    const buttons = [...groups].map(([key, set]) => {
      const entry = button("", () => {
        if (!this.hidden.delete(key)) this.hidden.add(key);
        this.show();
      });
      entry.dataset.key = key;
      entry.append(swatch(set), document.createTextNode(set.label));
      entry.title = "Show or hide";
      return entry;
    });
    this.part("legend").replaceChildren(...buttons);
    this.show();
  }

  show() {
    this.chart.data.datasets.forEach((set, i) => this.chart.setDatasetVisibility(i, !this.hidden.has(set.solver) && !this.hidden.has(set.layer)));
    this.chart.update();
    for (const entry of this.part("legend").children) {
      const shown = ![...this.hidden].some((key) => String(key) === entry.dataset.key);
      entry.setAttribute("aria-pressed", String(shown));
    }
  }

  savePicture() {
    lightly(() => {
      this.draw();
      save(this.id + ".png", this.chart.toBase64Image("image/png"));
    });
    this.draw();
  }

  saveData() {
    const rows = [["solver", this.axes.x.title, this.axes.y.title, "low", "high"]];
    for (const set of this.chart.data.datasets) {
      for (const p of set.data) rows.push([set.label, p.name ?? p.x, p.y, p.low ?? "", p.high ?? ""]);
    }
    const field = (v) => (/[",\n\r]/.test(String(v)) ? '"' + String(v).replaceAll('"', '""') + '"' : String(v));
    const text = rows.map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
    const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    save(this.id + ".csv", url);
    URL.revokeObjectURL(url);
  }
}
// The files of figures for papers that lie beside the page.
function paperLinks(files) {
  if (!files.length) return [];
  const anchors = files.flatMap(({ name, formats }) => [
    ` ${name} (`,
    ...formats.flatMap((format, i) => {
      const anchor = document.createElement("a");
      anchor.href = `figures/${encodeURIComponent(name)}.${format}`;
      anchor.textContent = format.toUpperCase();
      return i ? [", ", anchor] : [anchor];
    }),
    ")",
  ]);
  return ["For a paper, in the run folder beside this page:", ...anchors];
}

// Does something while the page is light.
function lightly(action) {
  onPaper = true;
  action();
  onPaper = false;
}

const NO_TRIAL =
  "no trial in which all compared solvers are feasible has such values. The table and the list under it say how the runs ended.";

function hover(item, x, y) {
  const p = item.raw;
  const spread = Number.isFinite(p.low) && Number.isFinite(p.high) ? ` [${format(p.low)}, ${format(p.high)}]` : "";
  const lines = [`${x.title}: ${p.name ?? format(p.x)}${degrees(x, p.x)}`, `${y.title}: ${format(p.y)}${spread}${degrees(y, p.y)}`];
  return p.note ? lines.concat(p.note) : lines;
}

// A squared angle is also read as its root in degrees.
function degrees(axis, value) {
  if (!axis.squared || !Number.isFinite(value)) return "";
  return ` (root: ${format(SCALES.degrees(axis.squared === "dB" ? 10 ** (value / 10) : value))}°)`;
}
