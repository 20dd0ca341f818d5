"use strict";
// The map: a canvas with pan, zoom, hover, keyboard and a legend that switches groups off.

class EmbeddingMap {
  constructor(points) {
    this.points = points;
    this.canvas = byId("map");
    this.tip = byId("tip");
    this.hidden = new Set();
    this.current = null;
    this.zoom = 0.94;
    this.centre = [0, 0];
    this.sheets = content.atlas.sheets.map((sheet) => {
      const image = new Image();
      image.onload = () => this.draw();
      image.src = sheet.uri;
      return image;
    });
    this.normalize();
    this.setColours("label");
    this.listen();
  }

  /** Scale both axes alike into -1 .. 1. */
  normalize() {
    const xs = this.points.map((point) => point.x);
    const ys = this.points.map((point) => point.y);
    const range = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    const [[x0, x1], [y0, y1]] = [range(xs), range(ys)];
    const half = Math.max(x1 - x0, y1 - y0, 1e-9) / 2;
    this.places = this.points.map((point) => [(point.x - (x0 + x1) / 2) / half, (point.y - (y0 + y1) / 2) / half]);
  }

  setColours(key) {
    this.groupOf = {
      label: (point) => point.label ?? "no label",
      split: (point) => point.split,
      kind: (point) => point.kind,
      selected: (point) => ("rank" in point ? "selected" : "not selected"),
    }[key];
    const names = [...new Set(this.points.map(this.groupOf))].sort();
    this.colours = new Map(names.map((name, index) => [name, paletteColour(index)]));
    for (const name of ["no label", "not selected"]) if (this.colours.has(name)) this.colours.set(name, "#8c9099");
    this.hidden.clear();
    this.drawLegend();
    this.draw();
  }

  drawLegend() {
    const items = [...this.colours].map(([name, colour]) => {
      const count = this.points.filter((point) => this.groupOf(point) === name).length;
      const mark = make("i", {});
      mark.style.background = colour;
      const button = make("button", { type: "button", "aria-pressed": "true" }, mark, name + " (" + count + ")");
      button.addEventListener("click", () => {
        if (!this.hidden.delete(name)) this.hidden.add(name);
        button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
        this.draw();
      });
      return make("li", {}, button);
    });
    byId("legend").replaceChildren(...items);
  }

  reset() {
    this.zoom = 0.94;
    this.centre = [0, 0];
    this.draw();
  }

  /** From map to canvas pixels (CSS pixels). */
  toScreen([x, y]) {
    const unit = (Math.min(this.width, this.height) / 2) * this.zoom;
    return [this.width / 2 + (x - this.centre[0]) * unit, this.height / 2 - (y - this.centre[1]) * unit];
  }

  visible() {
    return this.points.map((point, index) => index).filter((index) => !this.hidden.has(this.groupOf(this.points[index])));
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    [this.width, this.height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    this.canvas.width = this.width * ratio;
    this.canvas.height = this.height * ratio;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const order = this.visible().sort((a, b) => ("rank" in this.points[a]) - ("rank" in this.points[b]));
    const ring = getComputedStyle(document.body).color;
    for (const index of order) {
      const point = this.points[index];
      const [x, y] = this.toScreen(this.places[index]);
      if (x < -40 || y < -40 || x > this.width + 40 || y > this.height + 40) continue;
      if (byId("map-thumbs").checked) this.drawThumbnail(pen, point, x, y);
      else this.drawDot(pen, point, x, y, ring);
    }
    if (this.current !== null) {
      const [x, y] = this.toScreen(this.places[this.current]);
      pen.strokeStyle = ring;
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(x, y, 9, 0, 2 * Math.PI);
      pen.stroke();
    }
  }

  drawDot(pen, point, x, y, ring) {
    const selected = "rank" in point;
    pen.globalAlpha = selected ? 1 : 0.75;
    pen.fillStyle = this.colours.get(this.groupOf(point));
    pen.beginPath();
    pen.arc(x, y, selected ? 5 : 3, 0, 2 * Math.PI);
    pen.fill();
    pen.globalAlpha = 1;
    if (selected) {
      pen.strokeStyle = ring;
      pen.lineWidth = 1.5;
      pen.stroke();
    }
  }

  drawThumbnail(pen, point, x, y) {
    const { sheet, left, top } = tilePlace(point.tile);
    const side = content.atlas.tileSize;
    const size = Math.min(side, 16 + 8 * this.zoom);
    if (!this.sheets[sheet].complete) return;
    pen.drawImage(this.sheets[sheet], left, top, side, side, x - size / 2, y - size / 2, size, size);
    pen.strokeStyle = this.colours.get(this.groupOf(point));
    pen.lineWidth = "rank" in point ? 3 : 1;
    pen.strokeRect(x - size / 2, y - size / 2, size, size);
  }

  /** The nearest visible point within reach of a place on the canvas, or null. */
  nearest(x, y, reach = 14) {
    let best = null;
    for (const index of this.visible()) {
      const [px, py] = this.toScreen(this.places[index]);
      const distance = Math.hypot(px - x, py - y);
      if (distance < reach) [best, reach] = [index, distance];
    }
    return best;
  }

  show(index) {
    this.current = index;
    this.canvas.classList.toggle("over", index !== null);
    this.tip.hidden = index === null;
    if (index !== null) {
      const point = this.points[index];
      const facts = [point.label ?? "no label", point.split, point.kind].join(", ");
      const why = "rank" in point ? make("div", {}, "Selected, rank " + point.rank + ": " + point.reason) : null;
      this.tip.replaceChildren(thumbnail(point.tile, 64), make("div", {}, make("div", { class: "name" }, point.name), make("div", {}, facts), why ?? ""));
      const [x, y] = this.toScreen(this.places[index]);
      this.tip.style.left = Math.max(0, Math.min(x + 14, this.width - 236)) + "px";
      this.tip.style.top = (y > this.height / 2 ? Math.max(0, y - this.tip.offsetHeight - 14) : y + 14) + "px";
    }
    this.draw();
  }

  zoomAt(factor, x = this.width / 2, y = this.height / 2) {
    const unit = (Math.min(this.width, this.height) / 2) * this.zoom;
    const at = [this.centre[0] + (x - this.width / 2) / unit, this.centre[1] - (y - this.height / 2) / unit];
    const zoom = Math.min(200, Math.max(0.5, this.zoom * factor));
    const share = this.zoom / zoom;
    this.centre = [at[0] + (this.centre[0] - at[0]) * share, at[1] + (this.centre[1] - at[1]) * share];
    this.zoom = zoom;
    this.show(null);
  }

  listen() {
    let drag = null;
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      drag = at(event);
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      if (!drag || !event.buttons) return void this.show(this.nearest(x, y));
      const unit = (Math.min(this.width, this.height) / 2) * this.zoom;
      this.centre = [this.centre[0] - (x - drag[0]) / unit, this.centre[1] + (y - drag[1]) / unit];
      drag = [x, y];
      this.show(null);
    });
    this.canvas.addEventListener("pointerup", () => (drag = null));
    this.canvas.addEventListener("pointerleave", () => this.show(null));
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomAt(Math.exp(-event.deltaY / 400), ...at(event));
    }, { passive: false });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    byId("map-colour").addEventListener("change", (event) => this.setColours(event.target.value));
    byId("map-thumbs").addEventListener("change", () => this.draw());
    byId("map-reset").addEventListener("click", () => this.reset());
    window.addEventListener("resize", () => this.draw());
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  key(event) {
    if (event.key === "+" || event.key === "-") return void this.zoomAt(event.key === "+" ? 1.4 : 1 / 1.4);
    if (event.key === "Escape") return void this.show(null);
    const step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!step) return;
    event.preventDefault();
    this.show(this.neighbour(step));
  }

  /** The next point in a direction: near, and not too far to the side. */
  neighbour([dx, dy]) {
    const visible = this.visible();
    if (this.current === null) return visible[0] ?? null;
    const [x, y] = this.places[this.current];
    let [best, least] = [this.current, Infinity];
    for (const index of visible) {
      const [vx, vy] = [this.places[index][0] - x, this.places[index][1] - y];
      const forward = vx * dx + vy * dy;
      const cost = Math.hypot(vx, vy) + 2 * Math.abs(vx * dy - vy * dx);
      if (forward > 1e-9 && cost < least) [best, least] = [index, cost];
    }
    return best;
  }
}
