"use strict";
// Builds the page: sections with tables and figures, the row filter, the colour theme.

const content = JSON.parse(document.getElementById("content").textContent);
const tables = []; // a function per table that filters its rows by words

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

function makeSection(section, number) {
  const box = make("section", { id: `part${number}` }, make("h2", {}, section.title));
  if (section.subtitle) box.append(make("p", { class: "subtitle" }, section.subtitle));
  section.grids.forEach((grid, place) => {
    const parts = makeTable(grid, tables);
    if (place === 0) box.append(...parts);
    else box.append(make("details", {}, make("summary", {}, `p-values (${grid.rows.length})`), ...parts));
  });
  box.append(...section.figures.map((figure) => makeFigure(figure, section.title)));
  return box;
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

document.title = content.title;
document.getElementById("title").textContent = content.title;
document.getElementById("main").replaceChildren(...content.sections.map(makeSection));
document.getElementById("nav").append(
  ...content.sections.map((section, number) => make("a", { href: `#part${number}` }, section.title)),
);
document.getElementById("filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  tables.forEach((filter) => filter(words));
});
window.addEventListener("scroll", hideTip, { passive: true });
