"use strict";
// Drawing on Chart.js: the look of solvers, numbers, axes, bands and error bars; small elements of the page.

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
