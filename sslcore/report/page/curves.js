"use strict";
// Training curves; the read-outs of all of them follow the pointer or the arrow keys together.

const CURVES = [
  ["loss", "Loss"],
  ["knn_accuracy", "kNN accuracy, validation"],
  ["effective_rank", "Effective rank"],
  ["feature_std", "Feature spread"],
  ["lr", "Learning rate"],
  ["images_per_second", "Images per second"],
];
const BOX = { width: 340, height: 170, left: 46, right: 10, top: 10, bottom: 24 };

function drawCurves() {
  const { config, method } = content.model;
  const known = [method, content.model.backbone, config.epochs && plural(config.epochs, "epoch")].filter(Boolean);
  byId("training-note").textContent = known.join(" · ");
  const drawn = [];
  for (const [key, title] of CURVES) {
    const measured = content.history.filter((epoch) => typeof epoch[key] === "number").map((epoch) => [epoch.epoch, epoch[key]]);
    if (measured.length) drawn.push(new Curve(title, measured, (epoch) => drawn.forEach((curve) => curve.show(epoch))));
  }
  byId("curves").append(...drawn.map((curve) => curve.element));
  if (!drawn.length) byId("curves").append(make("p", { class: "quiet" }, "No history of the training was written."));
  drawHistory();
}

/** The same numbers as a table, for those who cannot see or want to copy them. */
function drawHistory() {
  const names = [...new Set(content.history.flatMap((epoch) => Object.keys(epoch)))];
  names.sort((a, b) => (b === "epoch") - (a === "epoch"));
  byId("history-details").hidden = !names.length;
  const rows = content.history.map((epoch) => row(names.map((name) => (typeof epoch[name] === "number" ? short(epoch[name]) : ""))));
  byId("history").append(headRow(names.map(words)), ...rows);
}

/** Round values that cover low to high in about four steps. */
function ticks(low, high) {
  if (low === high) [low, high] = [low - Math.abs(low) * 0.1 - 1e-9, high + Math.abs(high) * 0.1 + 1e-9];
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((each) => each * power >= rough) * power;
  const first = Math.floor(low / step + 1e-9);
  const values = [];
  for (let k = first; ; k++) {
    values.push(k * step);
    if (k * step >= high - step * 1e-6) return values;
  }
}

class Curve {
  /** `points` are [epoch, value]; `select` shows an epoch in all curves. */
  constructor(title, points, select) {
    this.points = points;
    const values = points.map((point) => point[1]);
    this.ticks = ticks(Math.min(...values), Math.max(...values));
    this.first = points[0][0];
    this.last = points[points.length - 1][0];
    this.output = make("output", {});
    this.cursor = make("line", { class: "cursor", y1: BOX.top, y2: BOX.height - BOX.bottom });
    this.dot = make("circle", { class: "dot", r: 4 });
    this.svg = this.draw(title);
    this.element = make("div", { class: "curve" }, make("h3", {}, make("span", {}, title), this.output), this.svg);
    this.listen(select);
    this.show(this.last);
  }

  x(epoch) {
    return BOX.left + ((epoch - this.first) / Math.max(1, this.last - this.first)) * (BOX.width - BOX.left - BOX.right);
  }

  y(value) {
    const [low, high] = [this.ticks[0], this.ticks[this.ticks.length - 1]];
    return BOX.top + (1 - (value - low) / (high - low)) * (BOX.height - BOX.top - BOX.bottom);
  }

  draw(title) {
    const range = { role: "slider", tabindex: 0, "aria-label": title, "aria-valuemin": this.first, "aria-valuemax": this.last };
    const svg = make("svg", { viewBox: "0 0 " + BOX.width + " " + BOX.height, ...range });
    for (const value of this.ticks) {
      svg.append(make("line", { class: "grid", x1: BOX.left, x2: BOX.width - BOX.right, y1: this.y(value), y2: this.y(value) }));
      svg.append(make("text", { x: BOX.left - 7, y: this.y(value) + 4, "text-anchor": "end" }, short(value)));
    }
    svg.append(make("text", { x: BOX.left, y: BOX.height - 5 }, "epoch " + this.first));
    if (this.last > this.first) svg.append(make("text", { x: BOX.width - BOX.right, y: BOX.height - 5, "text-anchor": "end" }, String(this.last)));
    const corners = this.points.map(([epoch, value]) => this.x(epoch).toFixed(1) + " " + this.y(value).toFixed(1));
    svg.append(this.cursor, make("path", { class: "line", d: "M" + corners.join("L") }), this.dot);
    return svg;
  }

  /** The measured point nearest to an epoch; Infinity is the last. */
  nearest(epoch) {
    if (epoch === Infinity) return this.points[this.points.length - 1];
    return this.points.reduce((best, point) => (Math.abs(point[0] - epoch) < Math.abs(best[0] - epoch) ? point : best));
  }

  show(epoch) {
    const [at, value] = this.nearest(epoch);
    this.at = at;
    this.dot.setAttribute("cx", this.x(at));
    this.dot.setAttribute("cy", this.y(value));
    this.cursor.setAttribute("x1", this.x(at));
    this.cursor.setAttribute("x2", this.x(at));
    this.output.replaceChildren(make("b", {}, short(value)), " epoch " + at);
    this.svg.setAttribute("aria-valuenow", at);
    this.svg.setAttribute("aria-valuetext", short(value) + " at epoch " + at);
  }

  listen(select) {
    this.svg.addEventListener("pointermove", (event) => {
      const box = this.svg.getBoundingClientRect();
      const share = (((event.clientX - box.left) / box.width) * BOX.width - BOX.left) / (BOX.width - BOX.left - BOX.right);
      select(this.first + share * (this.last - this.first));
    });
    this.svg.addEventListener("pointerleave", () => select(Infinity));
    this.svg.addEventListener("keydown", (event) => {
      const index = this.points.findIndex((point) => point[0] === this.at);
      const to = { ArrowLeft: index - 1, ArrowDown: index - 1, ArrowRight: index + 1, ArrowUp: index + 1, Home: 0, End: this.points.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      if (this.points[to]) select(this.points[to][0]);
    });
  }
}
