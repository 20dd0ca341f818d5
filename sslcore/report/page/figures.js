"use strict";
// Key figures: a verdict in words, cards, and bars against what the backbone has to beat.

const MEASURES = [["knn", "kNN accuracy"], ["linear_probe", "Linear probe"]];
const FEATURES = [
  ["backbone", "this backbone"],
  ["champion", "champion"],
  ["raw_pixels", "raw pixels"],
  ["random_weights", "random weights"],
];

/** An accuracy in evaluate.json, which is a number or {model_id, accuracy}; null if it was not measured. */
function accuracy(measure, features) {
  const entry = (content.metrics[measure] ?? {})[features] ?? null;
  return entry === null || typeof entry === "number" ? entry : entry.accuracy ?? null;
}

const points = (difference) => Math.abs(difference * 100).toFixed(1);

/** Half of the 95 % interval of a share measured on n samples (normal approximation). */
const margin = (share, n) => 1.96 * Math.sqrt((share * (1 - share)) / n);

function drawFigures() {
  const metrics = content.metrics;
  byId("metrics-note").textContent = metrics.note ? "Note: " + metrics.note + "." : "";
  drawVerdict();
  for (const [key, name] of MEASURES) {
    const ours = accuracy(key, "backbone");
    if (ours === null) continue;
    const tested = metrics.num_test ? "± " + points(margin(ours, metrics.num_test)) + " on " + plural(metrics.num_test, "test sample") : null;
    card(name, percent(ours), [tested, againstChampion(key)]);
    byId("comparison").append(bars(name + " on the test split", key));
  }
  const validated = accuracy("knn_val", "backbone");
  if (validated !== null) card("kNN, validation split", percent(validated), ["decides who becomes champion", againstChampion("knn_val")]);
  if (typeof metrics.effective_rank === "number") {
    card("Effective rank", short(metrics.effective_rank), ["of " + content.model.embed_dim + " dimensions; 1 is collapse"]);
  }
  if (typeof metrics.feature_std === "number") {
    const even = (1 / Math.sqrt(content.model.embed_dim)).toFixed(3);
    card("Feature spread", short(metrics.feature_std), [even + " is spread out; 0 is collapse"]);
  }
}

/** One sentence on whether the features are worth using. */
function drawVerdict() {
  const ours = accuracy("knn", "backbone");
  if (ours === null) return;
  const differences = FEATURES.slice(1)
    .map(([key, name]) => [name === "champion" ? "the champion" : name, accuracy("knn", key)])
    .filter(([, theirs]) => theirs !== null)
    .map(([name, theirs]) => [name, ours - theirs]);
  const said = differences.map(([name, by]) => {
    if (Math.abs(by) < 0.0005) return "level with " + name;
    return points(by) + (by > 0 ? " points above " : " points below ") + name;
  });
  const verdict = byId("verdict");
  verdict.textContent = "A sample's nearest labelled neighbours name its class in " + percent(ours) + " of cases";
  verdict.append(said.length ? ": " + said.join(", ") + "." : ".");
  const pixels = accuracy("knn", "raw_pixels");
  const random = accuracy("knn", "random_weights");
  if (ours <= Math.max(pixels ?? 0, random ?? 0)) {
    verdict.classList.add("bad");
    verdict.append(" These features are not worth using yet: train longer, or on more images.");
  }
}

function againstChampion(measure) {
  const theirs = accuracy(measure, "champion");
  if (theirs === null) return null;
  const by = accuracy(measure, "backbone") - theirs;
  const text = (by < 0 ? "−" : "+") + points(by) + " against the champion";
  return make("span", { class: by < 0 ? "worse" : "better" }, text);
}

function card(name, value, lines) {
  const rest = lines.filter((line) => line !== null).map((line) => make("div", { class: "against" }, line));
  const parts = [make("div", { class: "name" }, name), make("div", { class: "value" }, value), ...rest];
  byId("cards").append(make("div", { class: "card" }, ...parts));
}

/** Bars of one measure, with a mark where always guessing the most common class would be. */
function bars(title, measure) {
  const chance = content.metrics.chance;
  const block = make("div", { class: "bars" }, make("h3", {}, title));
  for (const [key, name] of FEATURES) {
    const value = accuracy(measure, key);
    if (value === null) continue;
    const fill = make("div", { class: "fill " + key });
    fill.style.width = value * 100 + "%";
    const track = make("div", { class: "track" }, fill);
    if (typeof chance === "number") {
      const mark = make("div", { class: "chance" });
      mark.style.left = chance * 100 + "%";
      track.append(mark);
    }
    block.append(make("span", {}, name), track, make("span", { class: "number" }, percent(value)));
  }
  if (typeof chance === "number") {
    block.append(make("p", { class: "quiet" }, make("i", { class: "chance-key" }), "always the most common class: " + percent(chance)));
  }
  return block;
}
