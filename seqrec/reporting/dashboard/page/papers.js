// Tables of papers: ours, beside it what is printed and how far ours is from it.
function showPapers() {
  find("papers").hidden = document.querySelector("nav a[href='#papers']").hidden = CONTENT.papers.length === 0;
  find("papers-body").replaceChildren(
    ...CONTENT.papers.flatMap(table => [
      h("h3", {}, table.title, h("span", {class: "faint"}, ` ${table.source}`)),
      ...table.data.map(part =>
        h(
          "div",
          {class: "scroll box", tabindex: 0, role: "region", "aria-label": `${table.title}, ${part.name}`},
          paperTable(table, part),
        ),
      ),
      h("p", {class: "note"}, table.legend),
    ]),
  );
}
function paperTable(table, part) {
  const head = h(
    "tr",
    {},
    h("th", {scope: "col"}, part.name),
    h("th", {scope: "col", class: "num"}, "Seeds"),
    table.metrics.map(metric => h("th", {scope: "col", class: "num"}, titled(metric))),
  );
  const rows = part.rows.map(row =>
    h(
      "tr",
      {},
      h("th", {scope: "row"}, row.label),
      h("td", {class: "num"}, row.seeds || ""),
      row.cells.map(cell =>
        h(
          "td",
          {class: "num"},
          h(
            "div",
            {},
            cell.ours === null ? "–" : fixed(cell.ours),
            cell.deviation === null ? "" : ` ± ${fixed(cell.deviation)}`,
          ),
          h("div", {class: `printed${cell.fails ? " failed" : ""}`}, printed(cell)),
        ),
      ),
    ),
  );
  return h("table", {class: "paper"}, h("thead", {}, head), h("tbody", {}, rows));
}
function printed(cell) {
  if (cell.printed === null) return "";
  const away = cell.relative === null ? "" : `, ${percent(cell.relative)}`;
  return `(${fixed(cell.printed)}${away})${cell.fails ? " ✗" : ""}`;
}
