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

function tableCell(cell) {
  const element = make("td");
  let value = document.createTextNode(cell.value);
  if (cell.bold) value = make("b", {}, value);
  if (cell.underlined) value = make("u", {}, value);
  element.append(value);
  if (cell.after) element.append(make("span", { class: "after" }, cell.after));
  if (cell.hover) {
    element.className = "more";
    element.tabIndex = 0;
    const show = () => {
      const box = element.getBoundingClientRect();
      showTip(box.left, box.bottom - 12, "", cell.hover);
    };
    element.addEventListener("pointerenter", show);
    element.addEventListener("focus", show);
    element.addEventListener("pointerleave", hideTip);
    element.addEventListener("blur", hideTip);
  }
  return element;
}

function headRow(grid) {
  const row = make("tr", { class: "groups" });
  for (let place = 0; place < grid.groups.length; ) {
    let end = place + 1;
    while (end < grid.groups.length && grid.groups[end] === grid.groups[place] && place > 0) end += 1;
    const named = grid.groups[place] ? { class: "named", scope: "colgroup" } : {};
    row.append(make("th", { colspan: end - place, ...named }, grid.groups[place]));
    place = end;
  }
  return row;
}

const isNumber = (value) => typeof value === "number";

/** Compare two cells: numbers before texts, missing values last in both directions. */
function compareCells(one, other, direction) {
  const missing = (cell) => !isNumber(cell.sort) && (cell.value === "" || cell.value === "\u2013");
  if (missing(one) || missing(other)) return missing(one) - missing(other);
  if (isNumber(one.sort) && isNumber(other.sort)) return direction * (one.sort - other.sort);
  return direction * one.value.localeCompare(other.value, "en", { numeric: true });
}

/** Create a table with its notes, and add its filter function to `tables`. */
function makeTable(grid, tables) {
  const body = make("tbody");
  const rows = grid.rows.map((cells) => {
    const element = make("tr", {}, ...cells.map(tableCell));
    return { cells, element, text: cells.map((cell) => cell.value + (cell.after || "")).join(" ").toLowerCase() };
  });
  body.append(...rows.map((row) => row.element));
  const heads = grid.headings.map((heading, place) => {
    const button = make("button", { type: "button" }, heading);
    const head = make("th", { scope: "col", "aria-sort": "none" }, ...(heading ? [button] : []));
    button.addEventListener("click", () => sortBy(place));
    return head;
  });

  function sortBy(place) {
    const numeric = rows.some((row) => isNumber(row.cells[place].sort));
    const turns = numeric ? ["none", "descending", "ascending"] : ["none", "ascending", "descending"];
    const turn = turns[(turns.indexOf(heads[place].getAttribute("aria-sort")) + 1) % turns.length];
    heads.forEach((head, other) => head.setAttribute("aria-sort", other === place ? turn : "none"));
    const direction = turn === "ascending" ? 1 : -1;
    const sorted = [...rows];
    if (turn !== "none") sorted.sort((a, b) => compareCells(a.cells[place], b.cells[place], direction));
    body.append(...sorted.map((row) => row.element));
  }

  const count = make("p", { class: "count", hidden: "" });
  tables.push((words) => {
    let shown = 0;
    for (const row of rows) {
      row.element.hidden = !words.every((word) => row.text.includes(word));
      shown += !row.element.hidden;
    }
    count.hidden = shown === rows.length;
    count.textContent = `${shown} of ${rows.length} rows`;
  });
  const head = make("thead", {}, ...(grid.groups.some(Boolean) ? [headRow(grid)] : []), make("tr", {}, ...heads));
  return [make("div", { class: "scroll" }, make("table", {}, head, body)), count, makeNotes(grid.notes)];
}

function makeNotes(notes) {
  return make("ul", { class: "notes" }, ...notes.map((note) => make("li", {}, note)));
}
