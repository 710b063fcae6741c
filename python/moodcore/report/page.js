"use strict";
// A click on a column's name sorts its table; figures and tables can be saved as files; a note says
// which of them are cut.
// The page works without this script.

function sortKey(cell, numeric) {
  const text = cell.textContent.trim();
  if (!numeric) return text;
  const number = Number(text.replace(/,/g, "").replace("\u2212", "-").replace(/\s?%$/, ""));
  return Number.isNaN(number) ? -Infinity : number;
}

function sortRows(header) {
  const table = header.closest("table"), column = header.cellIndex;
  const numeric = header.classList.contains("number");
  const descending = header.ariaSort ? header.ariaSort === "ascending" : numeric;
  const rows = [...table.tBodies[0].rows].map(row => [sortKey(row.cells[column], numeric), row]);
  const compare = numeric ? (a, b) => a - b : (a, b) => a.localeCompare(b, "en", { numeric: true });
  rows.sort(([a], [b]) => (descending ? compare(b, a) : compare(a, b)));
  table.tBodies[0].append(...rows.map(([, row]) => row));
  for (const cell of table.tHead.rows[0].cells) cell.ariaSort = null;
  header.ariaSort = descending ? "descending" : "ascending";
}

function csv(table) {
  const quoted = cell => `"${(cell.title || cell.textContent).trim().replaceAll('"', '""')}"`;
  return [...table.rows].map(row => [...row.cells].map(quoted).join(",") + "\r\n").join("");
}

// The colors of paper are the fallbacks of the page's variables.
function standalone(svg) {
  const text = new XMLSerializer().serializeToString(svg);
  return text.replace(/var\(--fig-[a-z]+, (#[0-9a-f]{6})\)/g, "$1");
}

function saveButton(label, name, type, content) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content()], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  return button;
}

function noteCut() {
  for (const box of document.querySelectorAll(".picture, .wide")) {
    const place = box.matches(".picture") ? box.parentElement.querySelector("figcaption") : box;
    const isCut = box.scrollWidth > box.clientWidth + 1;
    place.querySelector(".sideways").classList.toggle("shown", isCut);
  }
}

document.documentElement.classList.add("scripted");
noteCut();
addEventListener("resize", noteCut);
// A folded table has no width until it is opened.
document.addEventListener("toggle", noteCut, true);

for (const header of document.querySelectorAll("thead th")) {
  if (header.closest("table").tBodies[0].rows.length < 3) continue;
  header.tabIndex = 0;
  header.classList.add("sortable");
  header.addEventListener("click", () => sortRows(header));
  header.addEventListener("keydown", event => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    sortRows(header);
  });
}

for (const figure of document.querySelectorAll("figure")) {
  const buttons = document.createElement("p");
  buttons.className = "save";
  const svg = figure.querySelector("svg"), table = figure.querySelector("table");
  buttons.append(
    saveButton("Save SVG", `${figure.id}.svg`, "image/svg+xml", () => standalone(svg)),
    saveButton("Save CSV", `${figure.id}.csv`, "text/csv", () => csv(table)),
  );
  figure.querySelector("details").append(buttons);
}
