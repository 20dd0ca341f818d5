"use strict";
// Small pieces that the other scripts share. Text from outside only ever becomes textContent.

const content = JSON.parse(document.getElementById("content").textContent);
const byId = (id) => document.getElementById(id);

/** Make an element: make("p", {class: "quiet"}, "text", child, ...). */
function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "path", "line", "text", "circle", "rect"].includes(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

const percent = (share) => (share * 100).toFixed(1) + " %";
const plural = (count, one, many) => count.toLocaleString("en") + " " + (count === 1 ? one : many || one + "s");

function shortNumber(value) {
  if (value !== 0 && (Math.abs(value) < 0.001 || Math.abs(value) >= 1e5)) return value.toExponential(1);
  return String(Number(value.toPrecision(4)));
}

// The sheets are set once as style properties, so that thousands of thumbnails share one image.
content.atlas.sheets.forEach((sheet, index) => {
  document.documentElement.style.setProperty("--sheet-" + index, "url(" + sheet.uri + ")");
});

/** Where a tile lies: its sheet, left and top in the sheet's pixels. */
function tilePlace(tile) {
  const { tileSize, columns, tilesPerSheet } = content.atlas;
  const place = tile % tilesPerSheet;
  return { sheet: Math.floor(tile / tilesPerSheet), left: (place % columns) * tileSize, top: Math.floor(place / columns) * tileSize };
}

/** A thumbnail of a tile, `size` pixels wide on the page. */
function thumbnail(tile, size) {
  const { sheet, left, top } = tilePlace(tile);
  const scale = size / content.atlas.tileSize;
  const element = make("span", { class: "thumb", "data-tile": tile, "aria-hidden": "true" });
  element.style.width = element.style.height = size + "px";
  element.style.backgroundImage = "var(--sheet-" + sheet + ")";
  element.style.backgroundSize = content.atlas.sheets[sheet].width * scale + "px auto";
  element.style.backgroundPosition = -left * scale + "px " + -top * scale + "px";
  return element;
}

/** Colours that stay apart for neighbours in a list, in light and dark. */
function paletteColour(index) {
  return "hsl(" + ((index * 137.508 + 215) % 360).toFixed(0) + " 65% " + [48, 60, 38][index % 3] + "%)";
}
