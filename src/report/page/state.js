"use strict";
// What the reader chose: the page, and the filters. All of it stands in the address behind #, so that a link keeps it:
// #/figure/sweep?solver=SCA&scenario.users=8

const data = JSON.parse(document.getElementById("data").textContent);

// The solvers that are shown, and on every axis the points; null for all.
const filter = { solvers: null, points: data.axes.map(() => null) };

const keepsSolver = (solver) => !filter.solvers || filter.solvers.has(solver);
const keepsPoint = (axis, point) => !filter.points[axis] || filter.points[axis].has(point);
const keepsCell = (cell) => data.cells[cell].place.every((point, axis) => keepsPoint(axis, point));
const filtered = () => [filter.solvers, ...filter.points].some((kept) => kept !== null);

// A point of an axis in words: the values of all keys that are swept together.
const pointText = (axis, point) => axis.keys.map((key) => key.values[point]).join(", ");
const axisText = (axis) => axis.keys.map((key) => key.label).join(", ");

function cellName(cell) {
  const place = data.cells[cell].place;
  return data.axes.map((axis, a) => axis.keys.map((key) => `${key.label} ${key.values[place[a]]}`).join(", ")).join("; ");
}

// What can be filtered: the name in the address, its label, its values, and what is kept of them.
const FILTERS = [
  { name: "solver", label: "Solvers", values: data.solvers.map((s) => s.label), get: () => filter.solvers, set: (kept) => (filter.solvers = kept) },
  ...data.axes.map((axis, a) => ({
    name: axis.keys[0].key,
    label: axisText(axis).replace(/^./, (letter) => letter.toUpperCase()),
    values: axis.keys[0].values.map((_, i) => pointText(axis, i)),
    get: () => filter.points[a],
    set: (kept) => (filter.points[a] = kept),
  })),
];

// The address taken apart. What cannot be read, as someone may have typed it, is the first page.
function address() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const plain = (part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return "";
    }
  };
  return { path: path.split("/").map(plain), query: new URLSearchParams(query) };
}

function readFilters(query) {
  for (const { name, values, set } of FILTERS) {
    const wanted = query.getAll(name);
    const kept = new Set(values.flatMap((value, i) => (wanted.includes(value) ? [i] : [])));
    set(query.has(name) && kept.size < values.length ? kept : null);
  }
}

// The address of a page with the filters as they stand.
function link(path, extra = {}) {
  const query = new URLSearchParams();
  for (const { name, values, get } of FILTERS) {
    const kept = get();
    if (kept) for (const value of kept.size ? [...kept].map((i) => values[i]) : [""]) query.append(name, value);
  }
  for (const [name, value] of Object.entries(extra)) if (value) query.set(name, value);
  const text = String(query);
  return "#/" + path.map(encodeURIComponent).join("/") + (text ? "?" + text : "");
}
