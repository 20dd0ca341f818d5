"use strict";
// What part of the map is seen. Map coordinates lie in -1 .. 1 with y upwards, the screen is in CSS pixels.

const LEAST_ZOOM = 0.5;
const MOST_ZOOM = 400;

class Camera {
  constructor(points) {
    // The map is scaled to fill the canvas, but by one factor for both axes: distances mean something.
    const extent = (key) => Math.max(0.05, ...points.map((point) => Math.abs(point[key])));
    this.extent = points.length ? [extent("x"), extent("y")] : [1, 1];
    this.width = this.height = 1;
    this.reset();
  }

  reset() {
    this.zoom = 1;
    this.centre = [0, 0];
  }

  resize(width, height) {
    [this.width, this.height] = [width, height];
  }

  /** Screen pixels per unit of the map. */
  get unit() {
    const room = 24;
    const fit = (side, extent) => Math.max(10, side / 2 - room) / extent;
    return Math.min(fit(this.width, this.extent[0]), fit(this.height, this.extent[1])) * this.zoom;
  }

  toScreen(point) {
    return [this.width / 2 + (point.x - this.centre[0]) * this.unit, this.height / 2 - (point.y - this.centre[1]) * this.unit];
  }

  sees(point, margin = 0) {
    const [x, y] = this.toScreen(point);
    return x >= -margin && y >= -margin && x <= this.width + margin && y <= this.height + margin;
  }

  pan(dx, dy) {
    this.centre = [this.centre[0] - dx / this.unit, this.centre[1] + dy / this.unit];
  }

  /** Zoom so that what lies at a place of the screen stays there. */
  zoomAt(factor, x = this.width / 2, y = this.height / 2) {
    const zoom = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, this.zoom * factor));
    const [dx, dy] = [x - this.width / 2, y - this.height / 2];
    const before = this.unit;
    this.zoom = zoom;
    const gained = 1 / before - 1 / this.unit;
    this.centre = [this.centre[0] + dx * gained, this.centre[1] - dy * gained];
  }

  /** Put a point into the middle, at least this close. */
  goTo(point, zoom) {
    this.centre = [point.x, point.y];
    this.zoom = Math.max(this.zoom, zoom);
  }
}
