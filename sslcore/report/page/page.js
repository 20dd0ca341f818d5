"use strict";
// Puts the page together.

const QUARANTINE_STEP = 200;

function drawHeader() {
  const data = content.dataset;
  const kinds = plural(data.num_images, "image") + ", " + plural(data.num_frames, "video frame");
  byId("happened").textContent = [
    plural(data.num_samples, "sample") + " (" + kinds + ")",
    count(content.numLabelled) + " labelled",
    count(content.quarantine.length) + " quarantined",
    count(content.selection.length) + " selected to label next",
  ].join(" · ");
  const facts = { source: data.source, "data set": data.fingerprint.slice(0, 12), model: content.model.model_id };
  byId("identity").append(...Object.entries(facts).map(([name, value]) => make("span", {}, name + " ", make("code", {}, value))));
  byId("warnings").append(...content.warnings.map((text) => make("p", { class: "warning" }, text)));
  const links = { figures: "Figures", map: "Map", selection: "To label", training: "Training", quarantine: "Quarantine", facts: "Origin" };
  byId("nav").append(...Object.entries(links).map(([id, name]) => make("a", { href: "#h-" + id }, name)));
}

function drawMap() {
  const { points, numSamples, kind } = content.map;
  const how = kind === "tsne" ? "t-SNE: near neighbours are alike, distances between far groups say little" : "its two main axes (PCA)";
  const part = points.length < numSamples ? count(points.length) + " of " + plural(numSamples, "sample") : plural(points.length, "sample");
  byId("map-note").textContent = part + ", laid out by " + how + ". A ring marks what was selected.";
  for (const [value, [name, groupOf]] of Object.entries(GROUPINGS)) {
    const tellsApart = new Set(points.map(groupOf)).size > 1;
    if (tellsApart || value === "label") byId("map-colour").append(make("option", { value }, name));
  }
  const map = new EmbeddingMap(points);
  listenToMap(map);
  return map;
}

function drawQuarantine() {
  const files = content.quarantine;
  const counts = new Map();
  for (const { reason } of files) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const said = [...counts].sort(([, a], [, b]) => b - a).map(([reason, number]) => count(number) + " " + words(reason));
  byId("quarantine-note").textContent = files.length
    ? plural(files.length, "file") + " could not be read, or not to the end: " + said.join(", ") + ". All others went in."
    : "Every file could be read.";
  if (!files.length) return;
  const head = headRow(["File", "Reason", "Detail"]);
  const line = ({ path, reason, detail }) => row([fileName(path), words(reason), detail ?? ""]);
  const draw = (most) => byId("quarantine").replaceChildren(head, ...files.slice(0, most).map(line));
  paged(byId("quarantine-more"), () => files.length, QUARANTINE_STEP, draw);
}

/** A table of names and values; what is nested gets dotted names. */
function drawFacts(table, facts, prefix = "") {
  for (const [name, value] of Object.entries(facts)) {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) drawFacts(table, value, prefix + name + ".");
    else table.append(row([prefix + name, Array.isArray(value) ? value.join(", ") : String(value ?? "none")], "th"));
  }
}

drawHeader();
drawFigures();
drawCurves();
drawConfusion();
drawQuarantine();
drawFacts(byId("facts-dataset"), content.dataset);
drawFacts(byId("facts-model"), content.model);
drawFacts(byId("facts-metrics"), content.metrics);
drawSelection(drawMap());
