"use strict";
// The confusion matrix, and the most frequent mistakes in words.

const MOST_CLASSES = 30; // beyond that a table cannot be read; the list of mistakes still can
const MOST_MISTAKES = 8;

function drawConfusion() {
  const confusion = content.confusion;
  byId("confusion-section").hidden = !confusion;
  if (!confusion) return;
  const { classes, counts } = confusion;
  const totals = counts.map((line) => line.reduce((sum, number) => sum + number, 0));
  byId("confusion-note").textContent =
    plural(totals.reduce((sum, number) => sum + number, 0), "test sample") +
    ", classified by kNN on the embeddings. A row is the true class, a column the answer.";
  if (classes.length <= MOST_CLASSES) drawMatrix(classes, counts, totals);
  else byId("confusion-note").append(" With " + classes.length + " classes, only the most frequent mistakes are shown.");
  drawMistakes(classes, counts, totals);
}

function drawMatrix(classes, counts, totals) {
  const table = byId("confusion");
  const names = classes.map((name) => make("th", { scope: "col", class: "turned" }, make("span", {}, name)));
  table.append(make("tr", {}, make("td", {}), ...names, make("th", { scope: "col", class: "right" }, "right")));
  counts.forEach((line, actual) => {
    const cells = line.map((number, answer) => {
      const title = classes[actual] + " taken for " + classes[answer] + ": " + number + " of " + totals[actual];
      const cell = make("td", { title, class: actual === answer ? "hit" : "miss" }, number ? String(number) : "");
      if (number) cell.style.setProperty("--share", Math.round((number / totals[actual]) * 60 + 8) + "%");
      return cell;
    });
    const right = totals[actual] ? Math.round((line[actual] / totals[actual]) * 100) + " %" : "–";
    table.append(make("tr", {}, make("th", { scope: "row" }, classes[actual]), ...cells, make("td", { class: "right" }, right)));
  });
}

function drawMistakes(classes, counts, totals) {
  const mistakes = counts.flatMap((line, actual) =>
    line.map((number, answer) => ({ number, actual, answer })).filter((each) => each.number && each.actual !== each.answer),
  );
  mistakes.sort((a, b) => b.number - a.number || a.actual - b.actual || a.answer - b.answer);
  const items = mistakes.slice(0, classes.length > MOST_CLASSES ? 3 * MOST_MISTAKES : MOST_MISTAKES).map((each) => {
    const pair = [make("b", {}, classes[each.actual]), " taken for ", make("b", {}, classes[each.answer])];
    return make("li", {}, ...pair, make("span", { class: "quiet" }, " " + each.number + " of " + totals[each.actual]));
  });
  byId("mistakes").append(make("h3", {}, items.length ? "Most frequent mistakes" : "No mistakes"), make("ol", {}, ...items));
}
