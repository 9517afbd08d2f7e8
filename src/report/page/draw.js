"use strict";
// Drawing on Chart.js: the look of solvers, bands and error bars, axes, legends, controls, downloads.

const data = JSON.parse(document.getElementById("data").textContent);

// The page follows the reader's light or dark ground; paper and saved pictures are light.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
let onPaper = false;
const THEMES = {
  light: { ground: "#ffffff", ink: "#1c2430", number: "#3c4653", grid: "#e8ebef", frame: "#8b95a1", grey: "#5b6573", black: "#000000" },
  dark: { ground: "#161b22", ink: "#e6eaf0", number: "#b6bfca", grid: "#2a323d", frame: "#6b7684", grey: "#9aa5b3", black: "#f2f4f7" },
};
const theme = () => (dark.matches && !onPaper ? THEMES.dark : THEMES.light);

Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;

// Okabe and Ito's colours, told apart by colour-blind readers; dashes and markers tell them apart in print.
const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31"];
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [14, 4, 4, 4]];
const MARKERS = ["circle", "rect", "triangle", "rectRot", "crossRot", "star", "cross"];

function look(solver) {
  const turn = Math.floor(solver / COLORS.length);
  return {
    color: solver % COLORS.length === 6 ? theme().black : COLORS[solver % COLORS.length],
    dash: DASHES[(solver + turn) % DASHES.length],
    marker: MARKERS[(solver + turn) % MARKERS.length],
  };
}

const SCALES = {
  linear: (v) => v,
  log: (v) => (v > 0 ? v : NaN),
  dB: (v) => (v > 0 ? 10 * Math.log10(v) : NaN),
  degrees: (v) => (v >= 0 ? (Math.sqrt(v) * 180) / Math.PI : NaN),
};

// A value through a scale; absent values stay absent.
function scaled(scale, value) {
  return value === null || value === undefined ? NaN : SCALES[scale](value);
}

function format(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e6)) return String(Number(value.toPrecision(6))).replace("-", "−");
  const [lead, exponent] = value.toExponential(3).split("e");
  return `${Number(lead)} · ${power(Number(exponent))}`.replace("-", "−");
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
function power(exponent) {
  const digits = [...String(Math.abs(exponent))].map((d) => SUPERSCRIPTS[d]).join("");
  return "10" + (exponent < 0 ? "⁻" : "") + digits;
}

// Powers of ten; over a short range also the steps between them.
function logTick(value, index, ticks) {
  const low = ticks[0].value;
  const decades = Math.log10(ticks[ticks.length - 1].value / low);
  const exponent = Math.floor(Math.log10(value) + 1e-9);
  const lead = Math.round(value / 10 ** exponent);
  if (lead === 1 && decades >= 1.5) return decades > 14 && exponent % 3 !== 0 ? "" : power(exponent);
  if (decades < 1.5 && (decades < 0.8 || [1, 2, 5].includes(lead))) return format(value);
  return "";
}

// Bands between `low` and `high` under the lines, error bars over them, and lines of reference.
const spreads = {
  id: "spreads",
  // A saved picture has a ground.
  beforeDraw(chart) {
    chart.ctx.save();
    chart.ctx.fillStyle = theme().ground;
    chart.ctx.fillRect(0, 0, chart.width, chart.height);
    chart.ctx.restore();
  },
  beforeDatasetsDraw(chart) {
    const { ctx, chartArea: area, scales } = chart;
    ctx.save();
    ctx.beginPath();
    ctx.rect(area.left, area.top, area.width, area.height);
    ctx.clip();
    chart.data.datasets.forEach((set, index) => {
      if (!set.spread || !chart.isDatasetVisible(index)) return;
      const at = (x, y) => [scales.x.getPixelForValue(x), scales.y.getPixelForValue(y)];
      const points = set.data.filter((p) => Number.isFinite(p.low) && Number.isFinite(p.high));
      if (set.spread === "bars") {
        ctx.strokeStyle = set.borderColor;
        ctx.lineWidth = 1.2;
        ctx.beginPath();
        for (const p of points) {
          const [x, low] = at(p.x, p.low);
          const high = at(p.x, p.high)[1];
          ctx.moveTo(x, low);
          ctx.lineTo(x, high);
          for (const end of [low, high]) {
            ctx.moveTo(x - 4, end);
            ctx.lineTo(x + 4, end);
          }
        }
        ctx.stroke();
      } else if (points.length > 1) {
        ctx.fillStyle = set.borderColor + "24";
        ctx.beginPath();
        for (const p of points) ctx.lineTo(...at(p.x, p.high));
        for (const p of points.reverse()) ctx.lineTo(...at(p.x, p.low));
        ctx.fill();
      }
    });
    for (const y of chart.options.reference || []) {
      const at = scales.y.getPixelForValue(y);
      ctx.strokeStyle = theme().grey;
      ctx.lineWidth = 1;
      ctx.setLineDash([3, 3]);
      ctx.beginPath();
      ctx.moveTo(area.left, at);
      ctx.lineTo(area.right, at);
      ctx.stroke();
    }
    ctx.restore();
  },
};

function axis(spec, values) {
  const finite = values.filter(Number.isFinite);
  const options = {
    type: spec.log ? "logarithmic" : "linear",
    title: { display: true, text: spec.title, color: theme().ink, font: { size: 13 } },
    grid: { color: theme().grid },
    border: { color: theme().frame },
    ticks: { color: theme().number, maxRotation: 40 },
    suggestedMin: finite.length ? Math.min(...finite) : undefined,
    suggestedMax: finite.length ? Math.max(...finite) : undefined,
  };
  if (spec.range) [options.min, options.max] = spec.range;
  if (spec.log) Object.assign(options.ticks, { callback: logTick, maxRotation: 0 });
  if (spec.log && spec.room && finite.length) {
    options.min = options.suggestedMin / 2;
    options.max = options.suggestedMax * 2;
  }
  if (spec.names) {
    options.min = -0.3;
    options.max = spec.names.length - 0.7;
    options.afterBuildTicks = (scale) => (scale.ticks = spec.names.map((_, value) => ({ value })));
    options.ticks.callback = (value) => spec.names[value];
    options.ticks.autoSkip = true;
  }
  return options;
}

// One solver's line. `extra` overrides what is drawn.
function line(solver, points, extra = {}) {
  const style = look(solver);
  return {
    solver,
    label: data.solvers[solver].label,
    data: points,
    showLine: true,
    borderColor: style.color,
    backgroundColor: style.color,
    borderDash: style.dash,
    borderWidth: 2,
    pointStyle: style.marker,
    pointRadius: points.length > 40 ? 0 : style.marker.startsWith("cross") || style.marker === "star" ? 5.5 : 4,
    pointHoverRadius: 6,
    pointBorderWidth: 1.5,
    // Dashed lines lie over solid ones, so that lines in the same place are all seen.
    order: -solver,
    ...extra,
  };
}

// A figure of the page: its controls, its legend, its chart, its caption.
class Figure {
  constructor(id) {
    this.section = document.getElementById(id);
    this.id = id;
    this.state = {};
    this.hidden = new Set();
    this.controls = [];
  }

  part(name) {
    return this.section.querySelector("." + name);
  }

  // The figures of this kind that the config asks for: the first is shown, and all can be chosen.
  presets(kind) {
    const wanted = typeof kind === "function" ? kind : (name) => name === kind;
    this.asked = data.figures.filter((figure) => wanted(figure.kind));
    const names = this.asked.map((figure, i) => [String(i), figure.title ?? figure.name]);
    this.choice("figure", "Figure", () => (names.length ? [...names, ["free", "free choice"]] : []));
  }

  // Sets the controls as a figure of the config says; freely chosen ones as they stand without it.
  arrange(index) {
    this.preset = this.arranged = this.asked[index] ?? null;
    const wanted = this.preset?.state ?? {};
    this.state = { ...this.defaults, ...wanted, figure: index };
    // Where another metric comes without a scale, or another effort without one, they have their usual ones.
    for (const [metric, scale] of [["metric", "scale"], ["mx", "sx"], ["my", "sy"]]) {
      if (metric in wanted && !(scale in wanted)) this.state[scale] = undefined;
    }
    if (this.preset && !("logx" in wanted)) this.changed?.("effort");
  }

  // The solvers to draw, in order, and their names.
  order() {
    return this.arranged?.solvers.length ? this.arranged.solvers : data.solvers.map((_, s) => s);
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
      const points = axis.keys[0].values.map((_, i) => [String(i), axis.keys.map((k) => k.values[i]).join(", ")]);
      const usual = String(data.cells[data.cell]?.place[a] ?? 0);
      this.choice("place" + a, key.label, () => (free() === a ? [] : points), usual);
    });
  }

  // The cell at the chosen places; on axis `free` at the given point. None where the sweep has no such cell.
  cell(free = -1, point = 0) {
    const place = data.axes.map((_, a) => (a === free ? point : Number(this.state["place" + a])));
    return data.cells.findIndex((cell) => cell.place.every((p, a) => p === place[a]));
  }

  set(name, value) {
    this.state[name] = value;
    if (name === "figure") this.arrange(value);
    else {
      // Ranges and words of the config's figure are for what it shows; its solvers stay as they are.
      this.preset = null;
      this.state.figure = "free";
      this.changed?.(name);
    }
    this.refresh();
  }

  refresh() {
    for (const update of this.controls) update();
    this.draw();
  }

  start() {
    this.section.hidden = false;
    const buttons = document.createElement("span");
    buttons.className = "buttons";
    buttons.append(button("PNG", () => this.savePicture()), button("CSV", () => this.saveData()));
    this.part("controls").append(buttons);
    this.defaults = { ...this.state };
    if (this.asked.length) this.arrange("0");
    this.refresh();
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
    this.part("caption").textContent = empty ? "Nothing to draw here: " + (caption.empty ?? NO_TRIAL) : caption.text;
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

function labelled(text, element, after = false) {
  const label = document.createElement("label");
  label.append(...(after ? [element, text] : [text, element]));
  return label;
}

function button(text, action) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = text;
  element.addEventListener("click", action);
  return element;
}

// The line and marker of a solver, as its legend shows them.
function swatch(set) {
  const canvas = document.createElement("canvas");
  const [width, height] = [38, 14];
  Object.assign(canvas, { width: 3 * width, height: 3 * height });
  Object.assign(canvas.style, { width: width + "px", height: height + "px" });
  const ctx = canvas.getContext("2d");
  ctx.scale(3, 3);
  ctx.strokeStyle = ctx.fillStyle = set.borderColor;
  ctx.lineWidth = 2;
  if (set.showLine) {
    ctx.setLineDash(set.borderDash);
    ctx.beginPath();
    ctx.moveTo(0, height / 2);
    ctx.lineTo(width, height / 2);
    ctx.stroke();
    ctx.setLineDash([]);
  }
  if (set.solver >= 0) {
    ctx.lineWidth = 1.5;
    if (set.layer) ctx.fillStyle = "#ffffff00";
    Chart.helpers.drawPoint(ctx, { pointStyle: set.pointStyle, radius: 4.5, rotation: 0, borderWidth: 1.5 }, width / 2, height / 2);
  }
  return canvas;
}

function save(name, address) {
  const link = document.createElement("a");
  link.download = name;
  link.href = address;
  link.click();
}
