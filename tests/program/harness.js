// Runs inside the page, as its last script: acts as a reader would and writes down what it saw. WHAT names its parts.
(async () => {
  const seen = {};
  const expect = (name, value) => (seen[name] = value);
  expect("opened", performance.now());

  const section = (id) => document.getElementById(id);
  const chart = (id) => Chart.getChart(section(id).querySelector(".plot canvas"));
  const pause = () => new Promise((done) => setTimeout(done, 20));
  const until = async (holds) => {
    for (let i = 0; i < 200 && !holds(); i++) await pause();
  };
  const go = async (hash) => {
    location.hash = hash;
    await pause();
  };
  const click = async (element) => {
    element.click();
    await pause();
  };
  const choose = (id, name, value) => {
    const element = section(id).querySelector(`[name=${name}]`);
    if (element.type === "checkbox") element.checked = value;
    else element.value = value;
    element.dispatchEvent(new Event("change"));
  };
  // Checks exactly these values of a filter.
  const keep = (name, wanted) => {
    const marks = () => [...document.querySelectorAll(`#filters details[data-name="${name}"] input`)];
    marks().forEach((mark, i) => {
      mark.checked = wanted.includes(mark.value);
      if (i === marks().length - 1) mark.dispatchEvent(new Event("change"));
    });
  };
  const shownRows = () => [...section("results-table").tBodies[0].rows].filter((row) => row.offsetParent !== null);
  const visible = (id) => chart(id).data.datasets.filter((_, i) => chart(id).isDatasetVisible(i)).length;
  const shown = () => [...document.querySelectorAll("main > section")].filter((s) => !s.hidden).map((s) => s.id);
  const legend = (id) => [...section(id).querySelectorAll(".legend button")].map((b) => b.textContent);
  const coloured = (id) => {
    const canvas = section(id).querySelector(".plot canvas");
    const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
    const context = copy.getContext("2d", { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    // Something besides white, grey and the axes' blacks: a coloured line.
    return pixels.some((_, i) => i % 4 === 0 && Math.abs(pixels[i] - pixels[i + 2]) > 60);
  };
  const FIGURES = ["convergence", "sweep", "tradeoff", "distribution", "effort", "benchmark"];

  async function config() {
    await go("#/figure/sweep/" + data.figures[0].name);
    const { x, y } = chart("sweep").options.scales;
    expect("the config's figure", [legend("sweep"), x.min, x.max, y.title.text, section("sweep").querySelector("h2").textContent]);
    const simulated = chart("sweep").data.datasets.find((set) => set.layer);
    const line = chart("sweep").data.datasets.find((set) => set.solver === simulated.solver && !set.layer);
    const point = simulated.data[2];
    expect("estimator over its bound", point.y - line.data.find((p) => p.x === point.x).y);
    expect("with an interval", point.low < point.y && point.y < point.high);
    section("sweep").querySelector("[data-key='MLE MSE']").click();
    expect("markers hidden", chart("sweep").data.datasets.filter((set, i) => set.layer === "MLE MSE" && chart("sweep").isDatasetVisible(i)).length);
    choose("sweep", "metric", String(data.quantities.findIndex((q) => q.id === "sum_rate")));
    const figure = section("sweep").querySelector("[name=figure]");
    expect("free choice", [figure.value, chart("sweep").options.scales.x.max === 15, legend("sweep")]);
    choose("sweep", "figure", "free");
  }

  async function figuresInTurn() {
    const drawn = [];
    for (const id of FIGURES) {
      await go("#/figure/" + id);
      if (JSON.stringify(shown()) === JSON.stringify([id]) && coloured(id)) drawn.push(id);
    }
    expect("drawn alone", drawn);
    expect("loaded from elsewhere", performance.getEntriesByType("resource").map((r) => r.name).filter((n) => !n.startsWith("data:")));

    await go("#/figure/convergence");
    const entry = section("convergence").querySelector(".legend button");
    const before = visible("convergence");
    entry.click();
    expect("legend hides", [before - visible("convergence"), entry.getAttribute("aria-pressed")]);
    entry.click();
    expect("legend shows", [before - visible("convergence"), entry.getAttribute("aria-pressed")]);
    choose("convergence", "effort", "time");
    expect("time axis", chart("convergence").options.scales.x.title.text);
    choose("convergence", "show", "gap");
    expect("gap axis", [chart("convergence").options.scales.y.title.text, chart("convergence").options.scales.y.type]);
    choose("convergence", "logy", false);
    expect("linear gap axis", chart("convergence").options.scales.y.type);
    const first = chart("convergence").data.datasets.length;
    choose("convergence", "place0", "1");
    expect("another sweep point", chart("convergence").data.datasets.length - first);
    // What the controls show stands in the address: it opens so again.
    const address = location.hash;
    choose("convergence", "effort", "iterations");
    await go("#/results");
    await go(address);
    expect("opened by its address", [chart("convergence").options.scales.x.title.text, chart("convergence").options.scales.y.type]);

    await go("#/figure/sweep");
    choose("sweep", "metric", String(data.quantities.findIndex((q) => q.id === "crlb_azimuth")));
    expect("decibels", chart("sweep").options.scales.y.title.text);
    const decibel = chart("sweep").data.datasets[0].data[0].y;
    choose("sweep", "scale", "degrees");
    expect("degrees", chart("sweep").options.scales.y.title.text);
    const degrees = chart("sweep").data.datasets[0].data[0].y;
    expect("same value", Math.abs(10 * Math.log10((degrees * Math.PI / 180) ** 2) - decibel) < 1e-9);
    choose("sweep", "statistic", "mean");
    expect("error bars", chart("sweep").data.datasets[0].spread);

    await go("#/figure/tradeoff");
    const rings = chart("tradeoff").data.datasets.filter((s) => s.mark).flatMap((s) => s.data.map((p) => [p.x, p.y]));
    expect("nondominated", rings.sort((a, b) => a[0] - b[0]));
    choose("tradeoff", "sx", "log");
    expect("logarithmic trade-off", chart("tradeoff").options.scales.x.type);

    await go("#/figure/distribution");
    const shares = chart("distribution").data.datasets[0].data.map((p) => p.y);
    expect("shares rise to one", shares.every((y, i) => i === 0 || y >= shares[i - 1]) && shares.at(-1) === 1);
    expect("marks", section("distribution").querySelectorAll(".marks tbody tr").length);
    await go("#/figure/effort");
    choose("effort", "cell", "0");
    expect("effort of one point", chart("effort").data.datasets.filter((s) => s.pointRadius === 9).length);
    choose("effort", "cell", "all");
  }

  async function statistics() {
    await go("#/figure/benchmark");
    const words = () => section("benchmark").querySelector(".caption").textContent;
    const problems = () => /Over (\d+) problem/.exec(words())[1];
    const kinds = {};
    for (const { value } of section("benchmark").querySelector("[name=show]").options) {
      choose("benchmark", "show", value);
      const { x, y } = chart("benchmark").options.scales;
      kinds[value] = [x.title.text, y.title.text, chart("benchmark").data.datasets.length, coloured("benchmark")];
    }
    expect("statistics", kinds);
    choose("benchmark", "show", "targets_reached");
    choose("benchmark", "effort", "time");
    expect("statistics in time", chart("benchmark").options.scales.x.title.text);
    const rises = (set) => set.data.every((p, i) => i === 0 || (p.y >= set.data[i - 1].y && p.x >= set.data[i - 1].x));
    expect("shares rise", chart("benchmark").data.datasets.every((set) => rises(set) && set.data.at(-1).y <= 1));
    choose("benchmark", "show", "performance_profile");
    choose("benchmark", "target", "8");
    expect("solved", words().includes("Solved: a gap of at most 0.01."));
    choose("benchmark", "reference", "best");
    expect("measured from", words().includes("from the best objective that any solver of this run reached"));
    const counts = [problems()];
    keep(data.axes[0].keys[0].key, [data.axes[0].keys[0].values[2]]);
    counts.push(problems());
    keep(data.axes[0].keys[0].key, data.axes[0].keys[0].values.slice(1, 3));
    counts.push(problems(), words().includes("does not act here"));
    expect("statistics under a filter", counts);
    keep(data.axes[0].keys[0].key, data.axes[0].keys[0].values);
  }

  async function table() {
    await go("#/results");
    const headers = [...section("results-table").tHead.rows[0].cells];
    const gap = headers.findIndex((h) => h.textContent.startsWith("Gap"));
    const values = () => shownRows().map((row) => row.cells[gap].dataset.v ?? "none");
    const plan = values();
    headers[gap].querySelector("button").click();
    expect("ascending", values());
    headers[gap].querySelector("button").click();
    expect("descending", values());
    headers[gap].querySelector("button").click();
    expect("plan restored", JSON.stringify(plan) === JSON.stringify(values()));
  }

  async function filters() {
    const [axis, key] = [data.axes[0], data.axes[0].keys[0]];
    await go("#/results");
    keep("solver", [data.solvers[1].label, data.solvers[2].label]);
    expect("filtered by solver", [...new Set(shownRows().map((row) => row.dataset.solver))]);
    keep(key.key, [key.values[2], key.values[3]]);
    expect("filtered by both", [shownRows().length, section("rows").textContent]);
    expect("in the address", new URLSearchParams(location.hash.split("?")[1]).getAll(key.key));
    const links = [...document.querySelectorAll("#pages a")].map((a) => a.hash);
    expect("in every link", links.every((hash) => hash.includes("solver=")));
    const counts = {};
    for (const id of ["convergence", "sweep", "tradeoff", "distribution", "effort", "benchmark"]) {
      await click(document.querySelector(`#pages a[href^="#/figure/${id}"]`));
      counts[id] = [...new Set(chart(id).data.datasets.map((set) => set.solver).filter((s) => s >= 0))];
    }
    expect("figures of filtered solvers", counts);
    expect("points of the sweep", chart("sweep").data.datasets[0].data.map((p) => p.name));
    const choices = [...section("convergence").querySelector("[name=place0]").options].map((o) => o.text);
    expect("choices of points", choices);
    await go("#/runs?" + location.hash.split("?")[1]);
    expect("runs listed", section("runs").querySelector(".controls span").textContent);
    await click([...document.querySelectorAll("#filters > button")].at(-1));
    expect("all again", [location.hash, section("runs").querySelector(".controls span").textContent]);
    await go(`#/results?solver=${encodeURIComponent(data.solvers[3].label)}`);
    expect("opened by a link", [...new Set(shownRows().map((row) => row.dataset.solver))]);
    await go("#/results");
  }

  async function single() {
    await go("#/results");
    await click(shownRows()[1]);
    expect("runs of a row", [shown(), section("runs").querySelector(".controls span").textContent]);
    const find = section("runs").querySelector("[name=find]");
    await go("#/runs");
    const last = [...runs.byId.keys()].at(-1);
    find.value = last;
    find.dispatchEvent(new Event("input"));
    expect("found by its name", section("runs").querySelector(".controls span").textContent);
    find.value = "";
    find.dispatchEvent(new Event("input"));
    choose("runs", "status", "no feasible point");
    expect("runs by their end", section("runs").querySelector(".controls span").textContent);
    choose("runs", "status", "");
    const time = [...section("runs").querySelector("thead tr").cells].find((h) => h.textContent === "Time");
    time.querySelector("button").click();
    expect("runs sorted", [...section("runs").querySelector("tbody").rows].slice(0, 3).map((r) => r.cells[1].textContent));
    await go(`#/results?solver=SCA`);
    await click(shownRows()[0]);
    await click(section("runs").querySelector("tbody tr"));
    await until(() => section("run").querySelector("table"));
    expect("a run", [location.hash.split("?")[0].startsWith("#/run/"), shown()]);
    const facts = Object.fromEntries([...section("run").querySelectorAll(".facts div")].map((d) => [d.children[0].textContent, d.children[1].textContent]));
    expect("facts of a run", [facts.Solver, facts.Trial, facts.Ended, facts["Random stream"], facts["Why it ended"]]);
    expect("parts of a run", [...section("run").querySelectorAll("h3")].map((h) => h.textContent));
    expect("metrics of a run", [...section("run").querySelectorAll("table")[0].rows].map((r) => r.cells[0].textContent));
    expect("commands", [...section("run").querySelectorAll("code")].map((c) => c.textContent.replace(/ \S*\/\S+ /, " FOLDER ").replaceAll(location.hash.split(/[/?]/)[2], "ID")));
    expect("trace of a run", [coloured("run-trace"), chart("run-trace").data.datasets[0].data.length]);
    choose("run-trace", "show", "gap");
    expect("gap of a run", [chart("run-trace").options.scales.y.type, chart("run-trace").options.scales.y.title.text]);
    await click(section("run").querySelector(".command button"));
    await until(() => section("run").querySelector(".command button").textContent !== "copy");
    expect("copied", ["copied", "selected"].includes(section("run").querySelector(".command button").textContent));
    await go("#/run/nothing");
    expect("no such run", section("run").querySelector("code").textContent.endsWith("nothing"));
  }

  async function paper() {
    await go("#/overview");
    window.dispatchEvent(new Event("beforeprint"));
    expect("on paper", shown());
    window.dispatchEvent(new Event("afterprint"));
    expect("after paper", shown());
    await go("#/figure/effort");
    window.dispatchEvent(new Event("beforeprint"));
    expect("one page on paper", shown());
    window.dispatchEvent(new Event("afterprint"));
  }

  async function claims() {
    const rows = [...document.querySelectorAll(".claims tbody tr")];
    expect("claims", rows.map((row) => [row.cells[0].textContent, row.querySelector(".badge").textContent, row.querySelector(".badge").className]));
  }

  async function lost() {
    // An address that someone mistyped, a filter on what is not there.
    for (const hash of ["#/figure/nothing", "#/%E0%A4%A", "#/results?solver=nobody", "#/figure/sweep?view=metric:9999,logx:maybe"]) await go(hash);
    expect("lost", shown());
  }

  async function sideBySide() {
    choose("differences", "quantity", String(data.quantities.findIndex((q) => q.name === "Sum rate")));
    const medians = chart("differences").data.datasets.filter((set) => set.pointRadius === 8);
    expect("differences drawn", [coloured("differences"), medians.length, chart("differences").options.scales.y.title.text]);
    expect("worse", medians[1].data[0].y);
    choose("differences", "show", "scatter");
    expect("against each other", ["x", "y"].map((axis) => chart("differences").options.scales[axis].title.text));
    choose("paired", "solver", "SCA");
    const rows = [...section("paired-table").tBodies[0].rows].filter((row) => row.offsetParent !== null);
    expect("rows of a solver", [...new Set(rows.map((row) => row.cells[0].textContent))]);
  }

  try {
    expect("first page", [shown(), document.querySelectorAll(".cards div").length, document.querySelectorAll(".glance tbody tr").length]);
    for (const part of WHAT) await { config, figuresInTurn, statistics, table, filters, single, paper, claims, lost, sideBySide }[part]();
  } catch (error) {
    expect("stopped by", String(error.stack ?? error));
  }
  const outcome = document.createElement("pre");
  outcome.id = "outcome";
  outcome.textContent = JSON.stringify(seen);
  document.body.append(outcome);
})();
