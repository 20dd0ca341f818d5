"use strict";
// What the pointer, the keyboard and the controls do to the map.

function listenToMap(map) {
  listenToControls(map);
  listenToPointer(map);
  map.canvas.addEventListener("keydown", (event) => onKey(map, event));
  const redraw = () => map.redraw();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

function listenToControls(map) {
  const zoom = (factor) => {
    map.camera.zoomAt(factor);
    map.redraw();
  };
  byId("map-colour").addEventListener("change", (event) => map.setGrouping(event.target.value));
  byId("map-thumbs").addEventListener("change", () => map.redraw());
  byId("map-in").addEventListener("click", () => zoom(1.5));
  byId("map-out").addEventListener("click", () => zoom(1 / 1.5));
  byId("map-reset").addEventListener("click", () => seeAll(map));
  byId("legend-all").addEventListener("click", () => map.showGroups(true));
  byId("legend-none").addEventListener("click", () => map.showGroups(false));
  byId("map-find").addEventListener("input", (event) => map.find(event.target.value));
  byId("map-find").addEventListener("keydown", (event) => {
    if (event.key === "Enter") map.nextFound();
  });
}

function seeAll(map) {
  map.camera.reset();
  map.redraw();
}

/** Drag, click, two fingers, wheel. The map takes fingers and wheel only while it has the focus: a reader
 *  who scrolls past it must not get caught. */
function listenToPointer(map) {
  const pointers = new Map();
  let travelled = 0;
  const at = (event) => {
    const box = map.canvas.getBoundingClientRect();
    return [event.clientX - box.left - map.canvas.clientLeft, event.clientY - box.top - map.canvas.clientTop];
  };
  const release = (event) => {
    pointers.delete(event.pointerId);
    map.canvas.classList.toggle("dragging", pointers.size > 0 && travelled > 4);
  };
  map.canvas.addEventListener("pointerdown", (event) => {
    if (!pointers.size) travelled = 0;
    pointers.set(event.pointerId, at(event));
    map.canvas.setPointerCapture(event.pointerId);
  });
  map.canvas.addEventListener("pointermove", (event) => {
    const place = at(event);
    if (!pointers.has(event.pointerId)) {
      if (!map.kept) map.show(map.nearest(...place));
      return;
    }
    const [x, y] = pointers.get(event.pointerId);
    travelled += Math.hypot(place[0] - x, place[1] - y);
    if (travelled > 4) move(map, pointers, event.pointerId, place);
    pointers.set(event.pointerId, place);
    map.canvas.classList.toggle("dragging", travelled > 4);
  });
  map.canvas.addEventListener("pointerup", (event) => {
    if (pointers.size === 1 && travelled <= 4) {
      const index = map.nearest(...at(event), event.pointerType === "touch" ? 26 : 14);
      map.show(index, index !== null);
    }
    release(event);
  });
  map.canvas.addEventListener("pointercancel", release);
  map.canvas.addEventListener("pointerleave", () => {
    if (!map.kept) map.show(null);
  });
  map.canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== map.canvas && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    map.camera.zoomAt(Math.exp((-event.deltaY * lines) / 400), ...at(event));
    map.redraw();
  }, { passive: false });
}

/** One pointer pans; with two, the map follows their middle and the distance between them. */
function move(map, pointers, moved, place) {
  const [x, y] = pointers.get(moved);
  const other = [...pointers].find(([id]) => id !== moved);
  if (!other) map.camera.pan(place[0] - x, place[1] - y);
  else {
    const [ox, oy] = other[1];
    map.camera.pan((place[0] - x) / 2, (place[1] - y) / 2);
    const [before, after] = [Math.hypot(x - ox, y - oy), Math.hypot(place[0] - ox, place[1] - oy)];
    if (before > 0 && after > 0) map.camera.zoomAt(after / before, (place[0] + ox) / 2, (place[1] + oy) / 2);
  }
  map.redraw();
}

function onKey(map, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  const zoom = { "+": 1.5, "=": 1.5, "-": 1 / 1.5 }[event.key];
  if (step) {
    const index = neighbour(map, step);
    if (index !== null) map.keep(index);
  } else if (zoom) {
    const [x, y] = map.current === null ? [] : map.camera.toScreen(map.points[map.current]);
    map.camera.zoomAt(zoom, x, y);
    map.redraw();
  } else if (event.key === "0") seeAll(map);
  else if (event.key === "Escape") map.show(null);
  else return;
  event.preventDefault();
}

/** The nearest point within 45 degrees of a direction, or the current one; at first the one in the middle. */
function neighbour(map, [dx, dy]) {
  const current = map.current;
  const from = current === null ? { x: map.camera.centre[0], y: map.camera.centre[1] } : map.points[current];
  let [best, least] = [current, Infinity];
  for (const index of map.visible) {
    if (index === current || map.isFaded(index)) continue;
    const [vx, vy] = [map.points[index].x - from.x, map.points[index].y - from.y];
    const forward = vx * dx + vy * dy;
    const sideways = Math.abs(vx * dy - vy * dx);
    const distance = Math.hypot(vx, vy);
    if ((current === null || forward > sideways) && distance < least) [best, least] = [index, distance];
  }
  return best;
}
