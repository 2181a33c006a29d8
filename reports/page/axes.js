"use strict";
// Scales, ticks and axes of a chart.

const MARGIN = { top: 12, right: 18, bottom: 42, left: 58 };

/** A function from values to pixels, with ticks. */
function makeScale(values, pixels, { log = false, pad = 0.05, ticks = null, count = 6 }) {
  const bend = log ? Math.log10 : (value) => value;
  let low = Math.min(...values.map(bend));
  let high = Math.max(...values.map(bend));
  if (low === high) [low, high] = [low - (log ? 0.3 : Math.abs(low) * 0.1 || 1), high + (log ? 0.3 : Math.abs(high) * 0.1 || 1)];
  const room = (high - low) * pad;
  [low, high] = [low - room, high + room];
  const scale = (value) => pixels[0] + ((bend(value) - low) / (high - low)) * (pixels[1] - pixels[0]);
  const inside = (value) => bend(value) >= low - 1e-9 && bend(value) <= high + 1e-9;
  const chosen = ticks || (log ? logTicks(low, high).map((value) => [value, short(value)]) : alike(linearTicks(low, high, count)));
  scale.ticks = chosen.filter(([value]) => inside(value));
  return scale;
}

function linearTicks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let place = Math.ceil(low / step); place * step <= high; place += 1) found.push(Number((place * step).toPrecision(12)));
  return found;
}

function logTicks(low, high) {
  const factors = high - low > 3.2 ? [1] : high - low > 1.5 ? [1, 3] : [1, 2, 5];
  const found = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power += 1) {
    for (const factor of factors) found.push(Number((factor * 10 ** power).toPrecision(12)));
  }
  return found;
}

/** 0.05, 12, 3.4k, 2M. */
function short(value) {
  for (const [unit, letter] of [[1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(value) >= unit) return `${Number((value / unit).toPrecision(3))}${letter}`;
  }
  return String(Number(value.toPrecision(4)));
}

/** Values with their names, which have the same number of decimals: 0.20, 0.25. */
function alike(values) {
  const names = values.map(short);
  const decimals = Math.max(0, ...names.map((name) => (name.split(".")[1] || "").length));
  return values.map((value, place) => [value, /[kM]$/.test(names[place]) ? names[place] : value.toFixed(decimals)]);
}

const percent = (value) => `${Number((value * 100).toPrecision(3))} %`;

/** Format a value for the tooltip. */
function exact(value) {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
}

/** Draw the axes with their labels, leaving out tick labels that would overlap. */
function drawFrame(svg, chart, x, y, width, height) {
  const bottom = height - MARGIN.bottom;
  const right = width - MARGIN.right;
  for (const [value, name] of y.ticks) {
    svg.append(draw("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y(value), y2: y(value) }));
    svg.append(draw("text", { class: "faint", x: MARGIN.left - 7, y: y(value) + 4, "text-anchor": "end" }, name));
  }
  svg.append(draw("line", { class: "axis", x1: MARGIN.left, x2: right, y1: bottom, y2: bottom }));
  let free = -Infinity;
  for (const [value, name] of x.ticks) {
    const half = name.length * 3.2;
    const middle = Math.min(x(value), width - half);
    svg.append(draw("line", { class: "axis", x1: x(value), x2: x(value), y1: bottom, y2: bottom + 4 }));
    if (middle - half < free) continue;
    free = middle + half + 6;
    svg.append(draw("text", { class: "faint", x: middle, y: bottom + 17, "text-anchor": "middle" }, name));
  }
  svg.append(draw("text", { x: (MARGIN.left + right) / 2, y: height - 6, "text-anchor": "middle" }, chart.x_label));
  const middle = (MARGIN.top + bottom) / 2;
  const turned = { transform: `translate(13 ${middle}) rotate(-90)`, "text-anchor": "middle" };
  svg.append(draw("text", turned, chart.y_label));
}
