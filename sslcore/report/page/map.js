"use strict";
// The map of the embeddings: what is drawn, coloured, hidden, found and shown.

// Hues that stay apart, also for most colour-blind eyes, on light and on dark ground.
const PALETTE = [
  "#3b76e1", "#ef8a1f", "#1e9e84", "#d8405f", "#8f63d9", "#c7a500",
  "#56b1ea", "#97623f", "#e57ab7", "#6d9f2f", "#12a3b8", "#a2527e",
];
const GREY = "#8b9099";
const NOT_SAID = new Set(["no label", "not selected"]);

/** What the samples can be coloured by. */
const GROUPINGS = {
  label: ["label", (point) => point.label ?? "no label"],
  split: ["split", (point) => point.split],
  selected: ["selected", (point) => ("rank" in point ? "selected" : "not selected")],
  folder: ["folder", (point) => (point.name.includes("/") ? point.name.split("/")[0] + "/" : "(top)")],
  kind: ["image or frame", (point) => point.kind],
  source: ["source", (point) => point.source],
};

function paletteColour(index) {
  if (index < PALETTE.length) return PALETTE[index];
  return "hsl(" + ((index * 137.508) % 360).toFixed(0) + " 60% " + [46, 62, 36][index % 3] + "%)";
}

class EmbeddingMap {
  constructor(points) {
    this.points = points;
    this.canvas = byId("map");
    this.tip = byId("tip");
    this.camera = new Camera(points);
    this.current = null; // the point that is shown
    this.kept = false; // whether it stays when the pointer leaves it
    this.found = null; // a set of indices while something is searched for
    this.spotlight = null; // the group under the pointer in the legend
    this.setGrouping("label");
    new ResizeObserver(() => this.redraw()).observe(this.canvas);
    thumbnails.ready().then(() => this.redraw());
  }

  setGrouping(key) {
    const [title, groupOf] = GROUPINGS[key];
    this.groups = this.points.map(groupOf);
    this.counts = new Map();
    for (const name of [...this.groups].sort()) this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    const named = [...this.counts.keys()].filter((name) => !NOT_SAID.has(name));
    this.colours = new Map(named.map((name, index) => [name, paletteColour(index)]));
    this.hidden = new Set();
    byId("legend-title").textContent = title;
    this.drawLegend();
    this.arrange();
  }

  drawLegend() {
    // The groups in alphabetical order, then what is known of none.
    const names = [...this.colours.keys(), ...[...this.counts.keys()].filter((name) => NOT_SAID.has(name))];
    const items = names.map((name) => {
      const mark = make("i", {});
      mark.style.background = this.colours.get(name) ?? GREY;
      const parts = [mark, make("span", { class: "name" }, name), make("span", { class: "count" }, count(this.counts.get(name)))];
      const button = make("button", { type: "button", "aria-pressed": String(!this.hidden.has(name)) }, ...parts);
      button.addEventListener("click", () => {
        if (!this.hidden.delete(name)) this.hidden.add(name);
        button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
        this.arrange();
      });
      for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => this.light(name));
      for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => this.light(null));
      return make("li", {}, button);
    });
    byId("legend").replaceChildren(...items);
  }

  showGroups(all) {
    this.hidden = new Set(all ? [] : this.counts.keys());
    this.drawLegend();
    this.arrange();
  }

  light(name) {
    this.spotlight = name;
    this.redraw();
  }

  /** Fix which points are drawn, in which order: those without a group below, the selected on top. */
  arrange() {
    const level = (index) => ("rank" in this.points[index] ? 2 : NOT_SAID.has(this.groups[index]) ? 0 : 1);
    this.visible = this.points.map((point, index) => index).filter((index) => !this.hidden.has(this.groups[index]));
    this.visible.sort((a, b) => level(a) - level(b) || a - b);
    byId("map-shown").textContent =
      this.visible.length < this.points.length ? count(this.visible.length) + " of " + count(this.points.length) + " shown" : "";
    if (this.current !== null && this.hidden.has(this.groups[this.current])) this.show(null);
    this.redraw();
  }

  /** Mark the points whose name or label holds a text. */
  find(text) {
    const wanted = text.trim().toLowerCase();
    const fits = (point) => (point.name + "\n" + (point.label ?? "")).toLowerCase().includes(wanted);
    this.found = wanted ? new Set(this.visible.filter((index) => fits(this.points[index]))) : null;
    byId("map-found").textContent = this.found ? count(this.found.size) + " found" : "";
    this.redraw();
  }

  /** Show the next of the points that were found. */
  nextFound() {
    const found = [...(this.found ?? [])].sort((a, b) => a - b);
    if (!found.length) return;
    const next = found.find((index) => index > (this.current ?? -1)) ?? found[0];
    this.keep(next);
  }

  /** Show a point and hold it, moving the map if it is outside. */
  keep(index) {
    if (this.hidden.delete(this.groups[index])) {
      this.drawLegend();
      this.arrange();
    }
    if (!this.camera.sees(this.points[index], -20)) this.camera.goTo(this.points[index], 1);
    this.show(index, true);
  }

  /** Draw before the next frame, however often it is asked for. */
  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    this.camera.resize(width, height);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    this.ink = getComputedStyle(this.canvas).color;
    const asThumbnails = byId("map-thumbs").checked;
    for (const index of this.visible) {
      if (!this.camera.sees(this.points[index], 60)) continue;
      pen.globalAlpha = this.isFaded(index) ? 0.1 : 1;
      if (asThumbnails) this.drawThumbnail(pen, index);
      else this.drawDot(pen, index);
    }
    pen.globalAlpha = 1;
    if (this.current !== null) this.drawCurrent(pen);
    this.placeTip();
  }

  isFaded(index) {
    if (this.spotlight !== null && this.groups[index] !== this.spotlight) return true;
    return this.found !== null && !this.found.has(index);
  }

  drawDot(pen, index) {
    const [x, y] = this.camera.toScreen(this.points[index]);
    const selected = "rank" in this.points[index];
    const colour = this.colours.get(this.groups[index]);
    // Dots grow a little as the map is zoomed, so that they stay easy to hit.
    const radius = (selected ? 5 : colour ? 3.5 : 2.5) * Math.min(2, this.camera.zoom ** 0.25);
    if (!colour && !selected) pen.globalAlpha *= 0.55;
    pen.fillStyle = colour ?? GREY;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fill();
    if (!selected) return;
    pen.strokeStyle = this.ink;
    pen.lineWidth = 1.75;
    pen.stroke();
  }

  /** Draw a sample as its picture; returns the longer side. */
  drawThumbnail(pen, index) {
    const point = this.points[index];
    const [x, y] = this.camera.toScreen(point);
    const size = Math.min(1.5 * content.atlas.tileSize, 26 * this.camera.zoom ** 0.5);
    const [width, height] = thumbnails.paint(pen, point.tile, x, y, size);
    const selected = "rank" in point;
    pen.strokeStyle = this.colours.get(this.groups[index]) ?? GREY;
    pen.lineWidth = selected ? 3 : 1.5;
    pen.strokeRect(x - width / 2, y - height / 2, width, height);
    if (!selected) return size;
    pen.strokeStyle = this.ink;
    pen.lineWidth = 1;
    pen.strokeRect(x - width / 2 - 2, y - height / 2 - 2, width + 4, height + 4);
    return size;
  }

  drawCurrent(pen) {
    const [x, y] = this.camera.toScreen(this.points[this.current]);
    const asThumbnails = byId("map-thumbs").checked;
    const radius = asThumbnails ? this.drawThumbnail(pen, this.current) / 2 + 5 : 11;
    if (!asThumbnails) this.drawDot(pen, this.current);
    pen.strokeStyle = this.ink;
    pen.lineWidth = 2;
    pen.beginPath();
    if (asThumbnails) pen.roundRect(x - radius, y - radius, 2 * radius, 2 * radius, 6);
    else pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.stroke();
  }

  /** The nearest visible point within reach of a place on the screen, or null. */
  nearest(x, y, reach = 14) {
    let best = null;
    for (const index of this.visible) {
      if (this.isFaded(index)) continue;
      const [px, py] = this.camera.toScreen(this.points[index]);
      const distance = Math.hypot(px - x, py - y);
      if (distance < reach) [best, reach] = [index, distance];
    }
    return best;
  }

  /** Show a point beside its place on the map, or none. */
  show(index, kept = false) {
    this.kept = index !== null && kept;
    this.canvas.classList.toggle("over", index !== null);
    this.tip.classList.toggle("kept", this.kept);
    if (index !== this.current) {
      this.current = index;
      if (index !== null) this.fillTip(this.points[index]);
      this.placeTip();
    }
    this.redraw();
  }

  fillTip(point) {
    const facts = [point.label ?? "no label", point.split, point.kind].join(" · ");
    const lines = [make("div", { class: "name" }, fileName(point.name)), make("div", { class: "quiet" }, facts)];
    if ("rank" in point) lines.push(make("div", {}, make("b", {}, "Selected, rank " + point.rank + ": "), point.reason));
    this.tip.replaceChildren(picture(point.name, 96), make("div", { class: "text" }, ...lines));
  }

  /** The tip goes beside its point, inside the canvas; below it on the upper half, else above. */
  placeTip() {
    const away = this.current === null || !this.camera.sees(this.points[this.current]);
    this.tip.hidden = away;
    if (away) return;
    const [x, y] = this.camera.toScreen(this.points[this.current]);
    const left = Math.max(6, Math.min(x + 16, this.camera.width - this.tip.offsetWidth - 6));
    const above = y > this.camera.height / 2;
    this.tip.style.left = left + "px";
    this.tip.style.top = (above ? y - this.tip.offsetHeight - 16 : y + 16) + "px";
  }
}
