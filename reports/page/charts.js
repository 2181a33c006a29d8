"use strict";
// Line charts, scatter plots with a Pareto front, and critical-difference diagrams. Charts are redrawn when resized.

const HEIGHT = 300;
const FEW_POINTS = 20; // a line with fewer points has markers
const REACH = 40; // maximum distance in pixels from the pointer to the point in the tooltip

const GREY = -1; // the colour of all series but the first eight
const shade = (series) => (series.colour === GREY ? "var(--grey)" : `var(--c${series.colour})`);
const stroke = (series) => `stroke: ${shade(series)}`;
const fill = (series) => `fill: ${shade(series)}`;

/** Draw a chart into `place` without the labels in `hidden`. */
function drawChart(place, chart, hidden) {
  const width = place.clientWidth;
  if (!width) return;
  const visible = chart.series.filter((series) => !hidden.has(series.label));
  const drawer = chart.kind === "ranks" ? drawRanks : drawPoints;
  place.replaceChildren(drawer(chart, visible, width));
}

function drawPoints(chart, visible, width) {
  const svg = draw("svg", { height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": chart.title });
  const points = visible.flatMap((series) => series.points);
  if (!points.length) {
    svg.append(draw("text", { class: "faint", x: width / 2, y: HEIGHT / 2, "text-anchor": "middle" }, "all curves are hidden"));
    return svg;
  }
  const scatter = chart.kind === "scatter";
  const bounds = points.flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y]);
  const heights = chart.y_log ? bounds.filter((value) => value > 0) : bounds;
  const x = makeScale(points.map((point) => point.x), [MARGIN.left, width - MARGIN.right], {
    log: chart.x_log, pad: scatter ? 0.14 : 0.03, ticks: chart.ticks.length ? chart.ticks : null, count: width / 90,
  });
  const y = makeScale(heights, [HEIGHT - MARGIN.bottom, MARGIN.top], { log: chart.y_log, pad: scatter ? 0.12 : 0.06 });
  if (chart.y_percent) y.ticks = y.ticks.map(([value]) => [value, percent(value)]);
  drawFrame(svg, chart, x, y, width, HEIGHT);
  if (scatter) drawFront(svg, chart, visible, x, y);
  for (const series of visible.filter((each) => each.colour === GREY)) drawSeries(svg, chart, series, x, y);
  for (const series of visible.filter((each) => each.colour !== GREY)) drawSeries(svg, chart, series, x, y);
  if (scatter) drawNames(svg, visible, x, y, width);
  followPointer(svg, chart, visible, x, y);
  return svg;
}

function drawSeries(svg, chart, series, x, y) {
  const group = draw("g", { class: "series", "data-label": series.label });
  const path = series.points.map((point, place) => `${place ? "L" : "M"}${x(point.x).toFixed(1)} ${y(point.y).toFixed(1)}`);
  group.append(draw("path", { d: path.join(""), fill: "none", "stroke-width": 1.8, "stroke-linejoin": "round", style: stroke(series) }));
  for (const point of series.points) {
    if (point.low === null || point.high === null) continue;
    const at = x(point.x);
    group.append(draw("line", { x1: at, x2: at, y1: y(point.low), y2: y(point.high), "stroke-width": 1, opacity: 0.7, style: stroke(series) }));
  }
  if (chart.kind === "scatter" || series.points.length < FEW_POINTS) {
    for (const point of series.points) group.append(draw("circle", { cx: x(point.x), cy: y(point.y), r: chart.kind === "scatter" ? 5 : 3.2, style: fill(series) }));
  }
  let free = -Infinity;
  for (const mark of series.marks) {
    const [left, top] = [x(mark.x), y(mark.y)];
    if (mark.kind === "best") {
      group.append(draw("circle", { cx: left, cy: top, r: 4.5, "stroke-width": 2, style: `${stroke(series)}; fill: var(--page)` }));
      continue;
    }
    group.append(draw("line", { x1: left, x2: left, y1: top - 6, y2: top + 6, "stroke-width": 2, style: stroke(series) }));
    const name = mark.text.split(" ").pop();
    if (left - name.length * 3.5 < free) continue;
    free = left + name.length * 3.5;
    group.append(draw("text", { class: "halo", x: left, y: top - 9, "text-anchor": "middle", style: `${fill(series)}; font-size: 10px` }, name));
  }
  svg.append(group);
}

function drawFront(svg, chart, visible, x, y) {
  const points = chart.front.flatMap((name) => visible.filter((series) => series.name === name)).map((series) => series.points[0]);
  const path = points.map((point, place) => (place ? `H${x(point.x)}V${y(point.y)}` : `M${x(point.x)} ${y(point.y)}`));
  svg.append(draw("path", { class: "axis", d: path.join(""), fill: "none", "stroke-dasharray": "5 4" }));
}

/** Put each name at the first position around its point where it overlaps no other name or point. */
function drawNames(svg, visible, x, y, width) {
  const taken = visible.map(({ points: [point] }) => [x(point.x) - 6, x(point.x) + 6, y(point.y) - 6, y(point.y) + 6]);
  for (const series of visible) {
    const [left, top] = [x(series.points[0].x), y(series.points[0].y)];
    const size = series.name.length * 6.9;
    const places = [[9, 4], [-9 - size, 4], [7, -8], [7, 17], [-7 - size, -8], [-7 - size, 17], [-size / 2, -11], [-size / 2, 20]];
    const boxes = places.map(([right, down]) => [left + right, left + right + size, top + down - 11, top + down + 3]);
    const meets = ([l, r, t, b]) => l < MARGIN.left || r > width || taken.some(([l2, r2, t2, b2]) => l < r2 && l2 < r && t < b2 && t2 < b);
    const box = boxes.find((each) => !meets(each)) ?? boxes[0];
    taken.push(box);
    svg.append(draw("text", { class: "halo", x: box[0], y: box[3] - 3 }, series.name));
  }
}

/** Show the tooltip of the point nearest to the pointer. */
function followPointer(svg, chart, visible, x, y) {
  const dot = draw("circle", { r: 5, fill: "none", "stroke-width": 2, visibility: "hidden" });
  svg.append(dot);
  const all = visible.flatMap((series) => series.points.map((point) => ({ series, point, left: x(point.x), top: y(point.y) })));
  const leave = () => {
    dot.setAttribute("visibility", "hidden");
    hideTip();
  };
  const follow = (event) => {
    const box = svg.getBoundingClientRect();
    const away = (each) => Math.hypot(each.left - (event.clientX - box.left), each.top - (event.clientY - box.top));
    const near = all.reduce((best, each) => (away(each) < away(best) ? each : best));
    if (away(near) > REACH) return leave();
    dot.setAttribute("cx", near.left);
    dot.setAttribute("cy", near.top);
    dot.setAttribute("style", stroke(near.series));
    dot.setAttribute("visibility", "visible");
    showTip(box.left + near.left, box.top + near.top, near.series.name, factsOf(chart, near.point));
  };
  svg.addEventListener("pointermove", follow);
  svg.addEventListener("pointerdown", follow);
  svg.addEventListener("pointerleave", leave);
}

function factsOf(chart, point) {
  const tick = chart.ticks.find(([value]) => value === point.x);
  const facts = [[chart.x_label, tick ? tick[1] : exact(point.x)], [chart.y_label, chart.y_percent ? percent(point.y) : exact(point.y)]];
  if (point.low !== null && point.high !== null) facts.push(["error bar", `${exact(point.low)}, ${exact(point.high)}`]);
  if (point.text) facts.push(["", point.text]);
  return facts;
}

/** Draw a critical-difference diagram: names on both sides of the line of ranks, bars join groups that don't differ. */
function drawRanks(chart, visible, width) {
  const narrow = width < 520; // names stand on their lines rather than beside them
  const half = Math.ceil(visible.length / 2);
  const below = 46 + 8 * chart.cliques.length + 26;
  const height = below + 26 * half;
  const svg = draw("svg", { height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": chart.title });
  const side = narrow ? 24 : Math.min(210, width * 0.34);
  const most = chart.series.length;
  const x = (rank) => side + ((rank - 1) / (most - 1)) * (width - 2 * side);
  drawRankLine(svg, chart, x, most);
  visible.forEach((series, place) => {
    const left = place < half;
    const down = below + 26 * (left ? place : visible.length - 1 - place);
    const at = x(series.points[0].x);
    const edge = left ? side - 12 : width - side + 12;
    const end = narrow ? (left ? Math.min(at, 0) : Math.max(at, width)) : edge;
    svg.append(draw("path", { d: `M${at} 46V${down}H${end}`, fill: "none", "stroke-width": 1.6, style: stroke(series) }));
    const spot = narrow ? { x: left ? 0 : width, y: down - 4 } : { x: left ? end - 5 : end + 5, y: down + 4 };
    const anchor = left === narrow ? "start" : "end";
    const name = `${series.name} (${series.points[0].x.toFixed(2)})`;
    svg.append(draw("text", { class: "halo", ...spot, "text-anchor": anchor }, name));
  });
  chart.cliques.forEach(([low, high], number) => {
    const at = 54 + 8 * number;
    svg.append(draw("line", { class: "clique", x1: x(low) - 4, x2: x(high) + 4, y1: at, y2: at }));
  });
  return svg;
}

function drawRankLine(svg, chart, x, most) {
  svg.append(draw("line", { class: "axis", x1: x(1), x2: x(most), y1: 46, y2: 46 }));
  for (let rank = 1; rank <= most; rank += 1) {
    svg.append(draw("line", { class: "axis", x1: x(rank), x2: x(rank), y1: 41, y2: 46 }));
    svg.append(draw("text", { class: "faint", x: x(rank), y: 37, "text-anchor": "middle" }, String(rank)));
  }
  const reach = x(Math.min(1 + chart.critical, most));
  svg.append(draw("line", { class: "clique", x1: x(1), x2: reach, y1: 20, y2: 20, style: "stroke-width: 2" }));
  svg.append(draw("text", { x: x(1), y: 13 }, `critical difference ${chart.critical.toFixed(2)}`));
}
