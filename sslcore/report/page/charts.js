"use strict";
// Figures, bars, curves and the confusion matrix.

const FEATURES = { backbone: "this backbone", champion: "champion", raw_pixels: "raw pixels", random_weights: "random weights" };
const CURVES = [
  ["loss", "Loss"],
  ["knn_accuracy", "kNN accuracy on the validation split"],
  ["effective_rank", "Effective rank of the features"],
  ["feature_std", "Standard deviation of the features"],
  ["lr", "Learning rate"],
];

/** The accuracy in an entry of evaluate.json, which is a number or {model_id, accuracy}. */
function accuracyOf(entry) {
  if (entry === null || entry === undefined) return null;
  return typeof entry === "number" ? entry : entry.accuracy;
}

function drawFigures() {
  const metrics = content.metrics;
  byId("metrics-note").textContent = metrics.note || "";
  const card = (name, value, against) =>
    byId("cards").append(make("div", { class: "card" }, make("div", { class: "name" }, name), make("div", { class: "value" }, value), against && make("div", { class: "against" }, against)));
  for (const [key, name] of [["knn", "kNN accuracy"], ["linear_probe", "Linear probe"]]) {
    const measured = metrics[key] || {};
    const ours = accuracyOf(measured.backbone);
    if (ours === null) continue;
    const random = accuracyOf(measured.random_weights);
    card(name, percent(ours), random === null ? null : "random weights: " + percent(random));
    drawBars(name + ", test split", measured, metrics.chance);
  }
  if (metrics.effective_rank) card("Effective rank", shortNumber(metrics.effective_rank), "of " + content.model.embed_dim + " dimensions");
  if (metrics.feature_std) card("Feature spread", shortNumber(metrics.feature_std), (1 / Math.sqrt(content.model.embed_dim)).toFixed(3) + " is even; 0 is collapse");
}

function drawBars(title, measured, chance) {
  const bars = make("div", { class: "bars" }, make("h3", {}, title));
  const shown = Object.entries(FEATURES).map(([key, name]) => [key, name, accuracyOf(measured[key])]);
  if (typeof chance === "number") shown.push(["chance", "most common class", chance]);
  for (const [key, name, value] of shown) {
    if (value === null) continue;
    const fill = make("div", { class: key === "backbone" ? "fill ours" : "fill" });
    fill.style.width = value * 100 + "%";
    bars.append(make("span", {}, name), make("div", { class: "track" }, fill, make("span", { class: "number" }, percent(value))));
  }
  byId("comparison").append(bars);
}

function drawCurves() {
  for (const [key, title] of CURVES) {
    const points = content.history.filter((row) => key in row).map((row) => [row.epoch, row[key]]);
    if (points.length) byId("curves").append(curve(title, points));
  }
  if (!byId("curves").children.length) byId("curves").append(make("p", { class: "quiet" }, "No history was written."));
}

/** One curve with its axis, and the value under the pointer. */
function curve(title, points) {
  const [width, height, left, bottom] = [320, 150, 44, 20];
  const values = points.map((point) => point[1]);
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const first = points[0][0];
  const span = Math.max(1, points[points.length - 1][0] - first);
  const x = (epoch) => left + ((epoch - first) / span) * (width - left - 8);
  const y = (value) => 8 + (1 - (value - low) / (high - low)) * (height - bottom - 8);
  const svg = make("svg", { viewBox: "0 0 " + width + " " + height, role: "img", "aria-label": title });
  for (const value of [low, (low + high) / 2, high]) {
    svg.append(make("line", { class: "grid", x1: left, x2: width - 8, y1: y(value), y2: y(value) }));
    svg.append(make("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, shortNumber(value)));
  }
  svg.append(make("text", { x: left, y: height - 4 }, "epoch " + first), make("text", { x: width - 8, y: height - 4, "text-anchor": "end" }, first + span));
  svg.append(make("path", { class: "line", d: "M" + points.map(([epoch, value]) => x(epoch).toFixed(1) + " " + y(value).toFixed(1)).join("L") }));
  const dot = make("circle", { class: "dot", r: 4 });
  svg.append(dot);
  const readOut = make("output", {});
  const show = ([epoch, value]) => {
    dot.setAttribute("cx", x(epoch));
    dot.setAttribute("cy", y(value));
    readOut.textContent = shortNumber(value) + " at " + epoch;
  };
  show(points[points.length - 1]);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * width;
    show(points.reduce((best, point) => (Math.abs(x(point[0]) - at) < Math.abs(x(best[0]) - at) ? point : best)));
  });
  svg.addEventListener("pointerleave", () => show(points[points.length - 1]));
  return make("div", { class: "curve" }, make("h3", {}, make("span", {}, title), readOut), svg);
}

function drawConfusion() {
  const confusion = content.confusion;
  if (!confusion) {
    byId("confusion-section").hidden = true;
    return;
  }
  const table = byId("confusion");
  table.append(make("tr", {}, make("th", {}), ...confusion.classes.map((name) => make("th", { scope: "col" }, name))));
  confusion.counts.forEach((row, index) => {
    const total = Math.max(1, row.reduce((sum, count) => sum + count, 0));
    const cells = row.map((count, column) => {
      const cell = make("td", { title: confusion.classes[index] + " taken for " + confusion.classes[column] + ": " + count }, count || "");
      cell.style.background = count ? "color-mix(in srgb, var(--accent) " + Math.round((count / total) * 70 + 5) + "%, transparent)" : "";
      return cell;
    });
    table.append(make("tr", {}, make("th", { scope: "row" }, confusion.classes[index]), ...cells));
  });
}
