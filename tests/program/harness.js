// Runs inside the page, as its last script: acts as a reader would and writes down what it saw.
(() => {
  const seen = {};
  const expect = (name, value) => (seen[name] = value);
  const section = (id) => document.getElementById(id);
  const chart = (id) => Chart.getChart(section(id).querySelector(".plot canvas"));
  const choose = (id, name, value) => {
    const element = section(id).querySelector(`[name=${name}]`);
    if (element.type === "checkbox") element.checked = value;
    else element.value = value;
    element.dispatchEvent(new Event("change"));
  };
  const shownRows = () => [...section("results").tBodies[0].rows].filter((row) => row.offsetParent !== null);
  const visible = (id) => chart(id).data.datasets.filter((_, i) => chart(id).isDatasetVisible(i)).length;

  try {
    expect("opened", performance.now());
    expect("drawn", ["convergence", "sweep", "tradeoff", "distribution", "effort"].filter((id) => {
      const canvas = section(id).querySelector(".plot canvas");
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      // Something besides white, grey and the axes' blacks: a coloured line.
      return pixels.some((_, i) => i % 4 === 0 && Math.abs(pixels[i] - pixels[i + 2]) > 60);
    }));
    const figure = section("sweep").querySelector("[name=figure]");
    if (figure.options.length) {
      const labels = () => [...section("sweep").querySelectorAll(".legend button")].map((b) => b.textContent);
      const { x, y } = chart("sweep").options.scales;
      expect("the config's figure", [labels(), x.min, x.max, y.title.text, section("sweep").querySelector(".caption").textContent.split(".")[0]]);
      const simulated = chart("sweep").data.datasets.find((set) => set.layer);
      const line = chart("sweep").data.datasets.find((set) => set.solver === simulated.solver && !set.layer);
      const point = simulated.data[2];
      expect("estimator over its bound", point.y - line.data.find((p) => p.x === point.x).y);
      expect("with an interval", point.low < point.y && point.y < point.high);
      section("sweep").querySelector("[data-key='MLE MSE']").click();
      expect("markers hidden", chart("sweep").data.datasets.filter((set, i) => set.layer === "MLE MSE" && chart("sweep").isDatasetVisible(i)).length);
      choose("sweep", "metric", String(data.quantities.findIndex((q) => q.id === "sum_rate")));
      expect("free choice", [figure.value, chart("sweep").options.scales.x.max === 15, labels()]);
      choose("sweep", "figure", "free");
    }
    expect("loaded from elsewhere", performance.getEntriesByType("resource").map((r) => r.name).filter((n) => !n.startsWith("data:")));

    const legend = section("convergence").querySelector(".legend button");
    const before = visible("convergence");
    legend.click();
    expect("legend hides", [before - visible("convergence"), legend.getAttribute("aria-pressed")]);
    legend.click();
    expect("legend shows", [before - visible("convergence"), legend.getAttribute("aria-pressed")]);

    const headers = [...section("results").tHead.rows[0].cells];
    const gap = headers.findIndex((h) => h.textContent.startsWith("Gap"));
    const values = () => shownRows().map((row) => row.cells[gap].dataset.v ?? "none");
    const plan = values();
    headers[gap].querySelector("button").click();
    expect("ascending", values());
    headers[gap].querySelector("button").click();
    expect("descending", values());
    headers[gap].querySelector("button").click();
    expect("plan restored", JSON.stringify(plan) === JSON.stringify(values()));

    choose("filters", "solver", "1");
    expect("filtered by solver", [...new Set(shownRows().map((row) => row.dataset.solver))]);
    section("filters").querySelectorAll("select")[1].value = "2";
    section("filters").querySelectorAll("select")[1].dispatchEvent(new Event("change"));
    expect("filtered by both", shownRows().length);
    expect("count", section("filters").querySelector("span").textContent);

    choose("convergence", "effort", "time");
    expect("time axis", chart("convergence").options.scales.x.title.text);
    choose("convergence", "show", "gap");
    expect("gap axis", [chart("convergence").options.scales.y.title.text, chart("convergence").options.scales.y.type]);
    choose("convergence", "logy", false);
    expect("linear gap axis", chart("convergence").options.scales.y.type);
    const first = chart("convergence").data.datasets.length;
    choose("convergence", "place0", "1");
    expect("another sweep point", chart("convergence").data.datasets.length - first);

    const crlb = String(data.quantities.findIndex((q) => q.id === "crlb_azimuth"));
    choose("sweep", "metric", crlb);
    expect("decibels", chart("sweep").options.scales.y.title.text);
    const decibel = chart("sweep").data.datasets[0].data[0].y;
    choose("sweep", "scale", "degrees");
    expect("degrees", chart("sweep").options.scales.y.title.text);
    const degrees = chart("sweep").data.datasets[0].data[0].y;
    expect("same value", Math.abs(10 * Math.log10((degrees * Math.PI / 180) ** 2) - decibel) < 1e-9);
    choose("sweep", "statistic", "mean");
    expect("error bars", chart("sweep").data.datasets[0].spread);

    expect("nondominated marked", chart("tradeoff").data.datasets.some((s) => s.mark));
    choose("tradeoff", "sx", "log");
    expect("logarithmic trade-off", chart("tradeoff").options.scales.x.type);

    const shares = chart("distribution").data.datasets[0].data.map((p) => p.y);
    expect("shares rise to one", shares.every((y, i) => i === 0 || y >= shares[i - 1]) && shares.at(-1) === 1);
    expect("marks", section("distribution").querySelectorAll(".marks tbody tr").length);
    choose("effort", "cell", "0");
    expect("effort of one point", chart("effort").data.datasets.filter((s) => s.pointRadius === 9).length);
  } catch (error) {
    expect("stopped by", String(error.stack ?? error));
  }
  const outcome = document.createElement("pre");
  outcome.id = "outcome";
  outcome.textContent = JSON.stringify(seen);
  document.body.append(outcome);
})();
