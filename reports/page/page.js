"use strict";
// Adds to the page what needs scripts: figures, sorting, the row filter, differences of runs, the colour theme.

const content = JSON.parse(document.getElementById("content").textContent);

/** A figure with buttons that show or hide its labels. */
function makeFigure(figure, heading) {
  const hidden = new Set();
  const plots = figure.charts.map((chart) => ({ chart, place: make("div", { class: "plot" }) }));
  const redraw = () => plots.forEach(({ chart, place }) => drawChart(place, chart, hidden));
  const box = make("div", { class: "figure", "data-figure": figure.name }, ...(figure.title === heading ? [] : [make("h3", {}, figure.title)]));
  const switched = plots.filter(({ chart }) => chart.kind !== "ranks");
  if (switched.length) box.append(makeLegend(switched.map(({ chart }) => chart), hidden, redraw));
  const charts = plots.map(({ chart, place }) => make("figure", {}, make("figcaption", {}, chart.title), place));
  if (charts.length) box.append(make("div", { class: "charts" }, ...charts));
  box.append(makeNotes(figure.notes));
  let width = 0;
  new ResizeObserver(() => {
    const now = plots.length ? plots[0].place.clientWidth : 0;
    if (now !== width) redraw();
    width = now;
  }).observe(box);
  return box;
}

function makeLegend(charts, hidden, redraw) {
  const series = new Map(charts.flatMap((chart) => chart.series).map((each) => [each.label, each]));
  const ordered = [...series.values()].sort((one, other) => (one.colour < 0) - (other.colour < 0) || one.colour - other.colour);
  const buttons = ordered.map((each) => {
    const sample = draw("svg", { viewBox: "0 0 22 10", "aria-hidden": "true" }, draw("line", { x1: 0, x2: 22, y1: 5, y2: 5, "stroke-width": 3, style: stroke(each) }));
    const button = make("button", { type: "button", "aria-pressed": "true", title: "show or hide" }, sample, each.name.split(", seed")[0]);
    button.addEventListener("click", () => {
      const show = hidden.delete(each.label);
      if (!show) hidden.add(each.label);
      button.setAttribute("aria-pressed", String(show));
      hideTip();
      redraw();
    });
    return button;
  });
  return make("div", { class: "legend", role: "group", "aria-label": "Curves" }, ...buttons);
}

const theme = document.getElementById("theme");
const wantsDark = window.matchMedia("(prefers-color-scheme: dark)");

const isDark = () => (document.documentElement.dataset.theme ?? (wantsDark.matches ? "dark" : "light")) === "dark";
const nameTheme = () => (theme.textContent = isDark() ? "Light" : "Dark");
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
});
wantsDark.addEventListener("change", nameTheme);
nameTheme();

for (const place of document.querySelectorAll(".place")) {
  const section = content[place.dataset.section];
  place.replaceWith(makeFigure(section.figures[place.dataset.number], section.title));
}
const tables = [...document.querySelectorAll("main table")];
const filters = tables.map(enhanceTable); // a function per table that filters its rows by words
tables.forEach(openDetails);
for (const runs of document.querySelectorAll(".runs")) {
  const { options } = content[runs.dataset.section];
  if (Object.keys(options).length > 1) runs.append(makeDifference(options));
}
document.getElementById("filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  filters.forEach((filter) => filter(words));
});
document.querySelector(".tools").hidden = false;
window.addEventListener("scroll", hideTip, { passive: true });
