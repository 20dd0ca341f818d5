"use strict";
// What to label next and why: a gallery, and the list to go on with.

const GALLERY_STEP = 120;

function drawSelection(map) {
  const chosen = content.selection;
  byId("selection-body").hidden = !chosen.length;
  byId("selection-note").textContent = chosen.length
    ? plural(chosen.length, "sample") + ", picked by " + content.strategy + ", in its order. A picture leads to its place on the map."
    : "Nothing was selected: there is no sample without a label in the splits to choose from.";
  if (!chosen.length) return;
  const filter = byId("selection-filter");
  const update = () => {
    const wanted = filter.value.trim().toLowerCase();
    const fitting = chosen.filter((pick) => (pick.name + "\n" + pick.reason).toLowerCase().includes(wanted));
    byId("selection-count").textContent = wanted ? count(fitting.length) + " of " + count(chosen.length) : "";
    const draw = (most) => byId("selection").replaceChildren(...fitting.slice(0, most).map((pick) => galleryItem(pick, map)));
    paged(byId("selection-more"), () => fitting.length, GALLERY_STEP, draw);
  };
  filter.addEventListener("input", update);
  update();
  drawList(chosen);
}

function galleryItem(pick, map) {
  const show = make("button", { type: "button", class: "show", "aria-label": "Show " + pick.name + " on the map" }, picture(pick.name, 96));
  const index = pointByName.get(pick.name);
  show.disabled = index === undefined;
  show.addEventListener("click", () => {
    map.canvas.scrollIntoView({ block: "center" });
    map.canvas.focus({ preventScroll: true });
    map.camera.goTo(map.points[index], 2.5);
    map.keep(index);
  });
  const text = make("div", { class: "text" }, make("div", { class: "name" }, fileName(pick.name)), make("div", { class: "quiet" }, pick.reason));
  return make("li", {}, show, make("span", { class: "rank", title: "rank" }, String(pick.rank)), text);
}

/** The list as a CSV file with an empty column to fill in. */
function drawList(chosen) {
  const cell = (text) => (/[",\r\n]|^\s|\s$/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text);
  const text = ["filename,label", ...chosen.map((pick) => cell(pick.name) + ",")].join("\n") + "\n";
  byId("list-text").value = text;
  byId("save-list").addEventListener("click", () => {
    const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    make("a", { href: address, download: "to-label.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  });
}
