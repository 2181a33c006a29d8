"use strict";
// DOM helpers, the tooltip, and tables that can be sorted and filtered.

const SVG = "http://www.w3.org/2000/svg";

/** Create an element. Strings become text nodes, so that data is never parsed as HTML. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const tip = document.getElementById("tip");

/** Show facts, a list of [name, value], in a tooltip near a point and inside the window. */
function showTip(x, y, title, facts) {
  const list = make("dl");
  for (const [what, value] of facts) list.append(make("dt", {}, what), make("dd", {}, value));
  tip.replaceChildren(...(title ? [make("strong", {}, title)] : []), list);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const width = document.documentElement.clientWidth;
  const left = Math.max(4, Math.min(x + 14, width - box.width - 4));
  const below = y + 16 + box.height < window.innerHeight;
  const top = below ? y + 16 : Math.max(4, y - box.height - 12);
  tip.style.left = `${left + window.scrollX}px`;
  tip.style.top = `${top + window.scrollY}px`;
}

function hideTip() {
  tip.hidden = true;
  tip.style.left = tip.style.top = "0";
}

/** Show the facts of a cell that has any while the pointer or the focus is on it. */
function explain(cell) {
  if (!cell.dataset.hover) return;
  cell.classList.add("more");
  cell.tabIndex = 0;
  const show = () => {
    const box = cell.getBoundingClientRect();
    showTip(box.left, box.bottom - 12, "", JSON.parse(cell.dataset.hover));
  };
  cell.addEventListener("pointerenter", show);
  cell.addEventListener("focus", show);
  cell.addEventListener("pointerleave", hideTip);
  cell.addEventListener("blur", hideTip);
}

const textOf = (cell) => cell.textContent;
const numberOf = (cell) => (cell.dataset.sort === undefined ? null : Number(cell.dataset.sort));

/** Compare two cells: numbers before texts, missing values last in both directions. */
function compareCells(one, other, direction) {
  const missing = (cell) => numberOf(cell) === null && (textOf(cell) === "" || textOf(cell) === "\u2013");
  if (missing(one) || missing(other)) return missing(one) - missing(other);
  if (numberOf(one) !== null && numberOf(other) !== null) return direction * (numberOf(one) - numberOf(other));
  return direction * textOf(one).localeCompare(textOf(other), "en", { numeric: true });
}

/** Let a table be sorted by its headings; returns the function that filters its rows by words. */
function enhanceTable(table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  rows.forEach((row) => [...row.cells].forEach(explain));

  function sortBy(place) {
    const numeric = rows.some((row) => numberOf(row.cells[place]) !== null);
    const turns = numeric ? ["none", "descending", "ascending"] : ["none", "ascending", "descending"];
    const turn = turns[(turns.indexOf(heads[place].getAttribute("aria-sort")) + 1) % turns.length];
    heads.forEach((head, other) => head.setAttribute("aria-sort", other === place ? turn : "none"));
    const sorted = [...rows];
    const direction = turn === "ascending" ? 1 : -1;
    if (turn !== "none") sorted.sort((a, b) => compareCells(a.cells[place], b.cells[place], direction));
    body.append(...sorted);
  }

  heads.forEach((head, place) => {
    head.setAttribute("aria-sort", "none");
    if (!head.textContent) return;
    const button = make("button", { type: "button" }, head.textContent);
    button.addEventListener("click", () => sortBy(place));
    head.replaceChildren(button);
  });

  const count = table.parentElement.nextElementSibling;
  return (words) => {
    let shown = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => textOf(row).toLowerCase().includes(word));
      shown += !row.hidden;
    }
    count.hidden = shown === rows.length;
    count.textContent = `${shown} of ${rows.length} rows`;
  };
}

/** Open the details of a row's runs when the row is clicked. */
function openDetails(table) {
  for (const row of table.querySelectorAll("tr[data-details]")) {
    row.addEventListener("click", () => {
      const details = document.getElementById(row.dataset.details);
      details.closest(".runs").open = true;
      details.open = true;
      details.scrollIntoView({ block: "nearest" });
    });
  }
}

/** Two lists of runs, and a table of the options in which the chosen runs differ. */
function makeDifference(options) {
  const labels = Object.keys(options);
  const choose = (place) => {
    const select = make("select", { "aria-label": place ? "second run" : "first run" }, ...labels.map((label) => make("option", {}, label)));
    select.selectedIndex = place;
    return select;
  };
  const [one, other] = [choose(0), choose(1)];
  const body = make("tbody");
  const show = () => {
    const [first, second] = [options[one.value], options[other.value]];
    const keys = [...new Set([...Object.keys(first), ...Object.keys(second)])].filter((key) => first[key] !== second[key]);
    body.replaceChildren(...keys.map((key) => make("tr", {}, make("td", {}, key), make("td", {}, first[key] ?? "\u2013"), make("td", {}, second[key] ?? "\u2013"))));
  };
  [one, other].forEach((select) => select.addEventListener("change", show));
  show();
  const head = make("tr", {}, make("th", {}, "Option"), make("th", {}, one), make("th", {}, other));
  return make("div", { class: "scroll difference" }, make("p", {}, "Options in which two runs differ:"), make("table", {}, make("thead", {}, head), body));
}

function makeNotes(notes) {
  return make("ul", { class: "notes" }, ...notes.map((note) => make("li", {}, note)));
}
