"use strict";
// Pages, filters, printing: what stands in the address is shown.

const pages = (() => {
  const nav = document.getElementById("pages");
  const bar = document.getElementById("filters");
  const sections = [...document.querySelectorAll("main > section")];
  const first = data.figures[0];
  const all = [...figures.values()];
  // The figure that the overview shows: the config's first, else what is compared most.
  const lead = all.find((f) => f.asked.includes(first)) ?? figures.get("sweep") ?? all[0];

  const entries = [
    { path: [], text: "Overview" }, { path: ["results"], text: "Results" }, { path: ["runs"], text: "Runs" },
    ...all.flatMap((f) => f.asked.length
      ? f.asked.map((asked) => ({ path: ["figure", f.id, asked.name], text: asked.title ?? asked.name, figure: true }))
      : [{ path: ["figure", f.id], text: f.short, figure: true }]),
    { path: ["about"], text: "What was run" },
  ];
  for (const entry of entries) {
    entry.anchor = Object.assign(document.createElement("a"), { textContent: entry.text, title: entry.text });
    if (entry.figure) entry.anchor.className = "to-figure";
    nav.append(entry.anchor);
  }

  // A list of check marks for everything that can be filtered.
  const updates = FILTERS.filter((f) => f.values.length > 1).map(({ name, label, values, get, set }) => {
    const box = document.createElement("details");
    const summary = document.createElement("summary");
    const options = Object.assign(document.createElement("div"), { className: "options" });
    box.dataset.name = name;
    const choose = (kept) => {
      set(kept.size === values.length ? null : kept);
      stay();
    };
    const marks = values.map((value, i) => {
      const mark = Object.assign(document.createElement("input"), { type: "checkbox", value });
      mark.addEventListener("change", () => choose(new Set(marks.flatMap((m, j) => (m.checked ? [j] : [])))));
      const option = labelled(value, mark, true);
      if (name === "solver") mark.after(swatch(line(i, [])));
      options.append(option);
      return mark;
    });
    const both = document.createElement("div");
    both.append(button("all", () => choose(new Set(values.keys()))), button("none", () => choose(new Set())));
    options.prepend(both);
    box.append(summary, options);
    bar.append(box);
    return () => {
      const kept = get();
      marks.forEach((mark, i) => (mark.checked = !kept || kept.has(i)));
      const only = kept?.size === 1 ? values[[...kept][0]] : `${kept?.size} of ${values.length}`;
      summary.textContent = `${label}: ${kept ? only : "all"}`;
      box.classList.toggle("active", Boolean(kept));
    };
  });
  const reset = button("show all", () => {
    for (const { set } of FILTERS) set(null);
    stay();
  });
  bar.append(reset);
  document.addEventListener("click", (event) => {
    for (const box of bar.querySelectorAll("details[open]")) if (!box.contains(event.target)) box.open = false;
  });

  // The same page under other filters.
  function stay() {
    const { path, query } = address();
    history.replaceState(null, "", link(path.filter(Boolean), { row: query.get("row"), view: query.get("view") }));
    open();
  }

  function place() {
    const { path, query } = address();
    const [page, id] = path;
    const known = page === "figure" ? figures.has(id) : ["results", "runs", "run", "about"].includes(page);
    return { page: known ? page : "overview", path, query };
  }

  let before;
  function open() {
    const { page, path, query } = place();
    readFilters(query);
    for (const section of sections) {
      const own = section.dataset.page === page && (page !== "figure" || section.id === path[1]);
      section.hidden = !own && !(page === "overview" && section === lead?.section);
    }
    document.body.dataset.page = page;
    for (const { path: to, anchor } of entries) {
      anchor.href = link(to);
      const here = page === "overview" ? !to.length : to.every((part, i) => part === path[i]) && to.length > 0;
      if (here) anchor.setAttribute("aria-current", "page");
      else anchor.removeAttribute("aria-current");
    }
    for (const update of updates) update();
    reset.hidden = !filtered();
    bar.hidden = page === "about" || page === "run" || !updates.length;
    if (page === "overview") lead?.open();
    if (page === "results") results.filter();
    if (page === "runs") runs.open(query.get("row"));
    if (page === "run") run.open(path[1]);
    if (page === "figure") figures.get(path[1]).open(path[2], query.get("view") ?? "");
    if (before !== undefined && before !== path.join("/")) window.scrollTo(0, 0);
    before = path.join("/");
  }

  // On paper: from the overview the whole report, from any other page that page. Paper is light, and narrower than a
  // screen: charts are drawn anew for it.
  function print() {
    onPaper = true;
    const whole = place().page === "overview";
    results.filter();
    for (const section of sections) {
      const printed = section.dataset.page === "figure" ? figures.has(section.id) : !["runs", "run"].includes(section.dataset.page);
      if (whole) section.hidden = !printed;
    }
    for (const f of all.filter((f) => !f.section.hidden)) {
      f.open();
      f.chart.resize(680, 295);
    }
    for (const reasons of document.querySelectorAll("details.trouble")) reasons.open = true;
    if (place().page === "run") run.print();
  }

  document.getElementById("bar").hidden = false;
  window.addEventListener("hashchange", open);
  dark.addEventListener("change", open);
  window.addEventListener("beforeprint", print);
  window.addEventListener("afterprint", () => {
    onPaper = false;
    open();
  });
  open();
  return { open };
})();
