"use strict";
// Puts the page together.

function drawHeader() {
  const data = content.dataset;
  byId("title").textContent = document.title = content.title;
  const parts = [
    plural(data.num_samples, "sample") + " (" + plural(data.num_images, "image") + ", " + plural(data.num_frames, "video frame") + ")",
    content.numLabelled.toLocaleString("en") + " labelled",
    plural(content.quarantine.length, "file") + " in quarantine",
    content.selection.length.toLocaleString("en") + " selected to label next",
  ];
  byId("happened").textContent = parts.join(" · ");
  byId("identity").textContent = "Source " + data.source + " · data set " + data.fingerprint.slice(0, 12) + " · model " + content.modelId;
}

function drawMap() {
  const { points, numSamples, kind } = content.map;
  const how = kind === "tsne" ? "t-SNE: neighbours are alike, distances between far groups say little" : "the two main axes (PCA)";
  const part = points.length < numSamples ? points.length + " of " + numSamples + " samples" : plural(points.length, "sample");
  byId("map-note").textContent = part + ", laid out by " + how + ". Ringed: selected. Drag to move, wheel to zoom, arrow keys to step.";
  const colours = { label: "label", split: "split", selected: "selected", kind: "image or frame" };
  byId("map-colour").append(...Object.entries(colours).map(([value, name]) => make("option", { value }, name)));
  return points.length ? new EmbeddingMap(points) : null;
}

function drawSelection() {
  const chosen = content.selection;
  byId("selection-note").textContent = chosen.length
    ? "In this order. Write their labels as filename,label into a CSV file in data/labels/ and run the pipeline again: evaluation, selection and this page follow, the backbone stays."
    : "Nothing was selected: there is no sample without a label in the splits to choose from.";
  const items = chosen.map((pick) => {
    const text = make("div", {}, make("div", { class: "name" }, pick.rank + ". " + pick.name), make("div", { class: "reason" }, pick.reason));
    return make("li", {}, thumbnail(pick.tile, 72), text);
  });
  byId("selection").append(...items);
  byId("selection-filter").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    items.forEach((item) => (item.hidden = !item.textContent.toLowerCase().includes(wanted)));
  });
}

function drawQuarantine() {
  const rows = content.quarantine;
  const counts = new Map();
  rows.forEach((row) => counts.set(row.reason, (counts.get(row.reason) || 0) + 1));
  const said = [...counts].sort().map(([reason, count]) => count + " " + reason.replaceAll("_", " "));
  byId("quarantine-note").textContent = rows.length ? said.join(", ") : "Every file could be read.";
  if (!rows.length) return;
  byId("quarantine").append(make("tr", {}, ...["File", "Reason", "Detail"].map((name) => make("th", { scope: "col" }, name))));
  rows.forEach((row) => byId("quarantine").append(make("tr", {}, make("td", {}, row.path), make("td", {}, row.reason.replaceAll("_", " ")), make("td", {}, row.detail))));
}

/** A table of names and values; what is nested gets dotted names. */
function drawFacts(table, facts, prefix = "") {
  for (const [name, value] of Object.entries(facts)) {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) drawFacts(table, value, prefix + name + ".");
    else table.append(make("tr", {}, make("th", { scope: "row" }, prefix + name), make("td", {}, Array.isArray(value) ? value.join(", ") : value)));
  }
}

drawHeader();
drawFigures();
drawCurves();
drawConfusion();
drawSelection();
drawQuarantine();
drawFacts(byId("facts-dataset"), content.dataset);
drawFacts(byId("facts-model"), content.model);
drawMap();
