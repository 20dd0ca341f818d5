"use strict";
// Small pieces that the other scripts share. Text from outside only ever becomes a text node.

const content = JSON.parse(document.getElementById("content").textContent);
const byId = (id) => document.getElementById(id);
const SVG_TAGS = new Set(["svg", "path", "line", "text", "circle", "rect", "g"]);

/** Make an element: make("p", {class: "quiet"}, "text", child, ...); null children are left out. */
function make(tag, attributes = {}, ...children) {
  const element = SVG_TAGS.has(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A row of a table; `header` says which tag the first cell gets. */
function row(cells, header = "td") {
  const scope = header === "th" ? { scope: "row" } : {};
  return make("tr", {}, ...cells.map((cell, index) => (index ? make("td", {}, cell) : make(header, scope, cell))));
}

const headRow = (names) => make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name)));

const count = (number) => number.toLocaleString("en");
const plural = (number, one, many = one + "s") => count(number) + " " + (number === 1 ? one : many);
const percent = (share) => (share * 100).toFixed(1) + " %";
const words = (name) => String(name).replaceAll("_", " ");

/** A number in four digits or so. */
function short(value) {
  if (value !== 0 && (Math.abs(value) < 0.0001 || Math.abs(value) >= 1e5)) return value.toExponential(1);
  return String(Number(value.toPrecision(4)));
}

/** A file name with its folder in a quieter tone, so that the names line up for the eye. */
function fileName(name) {
  const cut = name.lastIndexOf("/") + 1;
  return make("span", { class: "file" }, make("span", { class: "folder" }, name.slice(0, cut)), name.slice(cut));
}

/** A button that shows the next rows of a long list; `more` draws up to a number of them. */
function paged(button, total, step, draw) {
  let shown = Math.min(step, total());
  const update = () => {
    draw(shown);
    button.hidden = shown >= total();
    button.textContent = "Show " + count(Math.min(step, total() - shown)) + " more of " + count(total());
  };
  button.onclick = () => {
    shown = Math.min(shown + step, total());
    update();
  };
  update();
}
