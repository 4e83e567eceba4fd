// Comparison, slices and cards of the chosen methods.
const nothing = text => h("p", {class: "card empty"}, text);

function showComparison() {
  const parts = ofParts(),
    names = [...new Set(PARTS.flatMap(part => part.comparison.rows.map(row => row.metric)))];
  offer(find("compared-metric"), "compared", names, names[0]);
  const blocks = parts.flatMap(({part, ids}) => [
    parts.length > 1 ? h("h3", {}, partName(part)) : null,
    compared(part, ids),
  ]);
  const apart = parts.slice(1).map(({place}) =>
    h(
      "div",
      {class: "reason"},
      `${partName(parts[0].part)} and ${partName(PARTS[place])} are not compared, as they differ in:`,
      h(
        "ul",
        {},
        parts[0].part.differences[place].map(([field, one, other]) =>
          h("li", {}, `${field}: ${short(one)} and ${short(other)}`),
        ),
      ),
    ),
  );
  find("comparison-body").replaceChildren(
    ...[...blocks, ...apart].filter(Boolean),
    ...(parts.length ? [] : [nothing("Choose finished runs in the table.")]),
  );
}
const short = text => (text === "" ? "nothing" : text.length > 80 ? `${text.slice(0, 77)}…` : text);

function compared(part, ids) {
  const {rows, reasons, baseline} = part.comparison;
  if (ids.length < 2) return nothing("Choose two methods of this data set and protocol.");
  const shown = rows.filter(
    row => row.metric === state.compared && ids.includes(row.first) && ids.includes(row.second),
  );
  const why = ids.filter(id => reasons[id]).map(id => reasons[id]),
    whole = reasons[""];
  const told = [...(whole ? [whole] : []), ...why].map(text => h("div", {class: "reason"}, text));
  if (!shown.length) {
    const other = baseline === null ? "There is no pair to compare." : `${against(baseline)} Choose that one too.`;
    return h("div", {}, told.length ? told : nothing(other));
  }
  const reach = Math.max(...shown.flatMap(row => [...row.users, ...(row.seeds ?? []), row.mean].map(Math.abs))) || 1;
  const seeds = shown.some(row => row.seeds);
  const lines = shown.map(row => {
    const ahead = row.ahead === null ? "open" : METHODS[row.ahead].name;
    return h(
      "tr",
      {},
      h(
        "th",
        {scope: "row", class: "versus"},
        h("div", {}, key(row.first)),
        h("div", {}, h("span", {class: "faint"}, "less"), key(row.second)),
      ),
      h("td", {class: "interval", ...(row.ahead === null ? {} : {tone: tone(row.ahead)})}, intervalChart(row, reach)),
      h("td", {class: "num lead"}, signed(row.mean)),
      h("td", {class: "num"}, between(row.users)),
      seeds && h("td", {class: "num"}, row.seeds ? between(row.seeds) : ""),
      h("td", {class: "num"}, percent(row.relative)),
      h("td", {class: "num"}, row.p < 1e-6 ? "< 1e-6" : row.p.toPrecision(2)),
      h("td", {class: row.ahead === null ? "faint" : "lead"}, ahead),
    );
  });
  const titles = [
    "Difference",
    "",
    "Mean",
    "95 %, users",
    ...(seeds ? ["95 %, users and seeds"] : []),
    "Relative",
    "p",
    "Ahead",
  ];
  const head = titles.map((title, n) =>
    h("th", {scope: "col", class: n > 1 && n < titles.length - 1 ? "num" : null}, title),
  );
  return h(
    "div",
    {},
    h(
      "div",
      {class: "scroll box", tabindex: 0, role: "region", "aria-label": "Differences"},
      h("table", {class: "differences"}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, lines)),
    ),
    told,
    h(
      "p",
      {class: "note"},
      `Paired over ${many(part.users, "user")}. Thick: interval over users`,
      seeds ? "; thin: over users and seeds, where both methods have several. " : ". ",
      `p values are Holm's over all ${rows.length} comparisons of this part. `,
      baseline === null ? "" : against(baseline),
    ),
  );
}
const against = baseline =>
  `This part has many methods, each compared with ${METHODS[baseline].name}, the best on validation.`;
const between = ([from, to]) => `${signed(from)} to ${signed(to)}`;

function showSlices() {
  const parts = ofParts(),
    rows = state.chosen.flatMap(id => METHODS[id].runs.flatMap(run => run.slices ?? []));
  const names = [...new Set(rows.flatMap(row => Object.keys(row)))].filter(
    name => !["by", "from", "to", "users"].includes(name),
  );
  offer(find("slice-metric"), "slice", names, parts[0]?.part.middle);
  const body = find("slices-body");
  body.replaceChildren();
  if (!rows.length) body.append(nothing("The chosen runs have no slices."));
  for (const {part, ids} of parts) {
    const kinds = [...new Set(ids.flatMap(id => METHODS[id].runs.flatMap(run => run.slices.map(row => row.by))))];
    if (!kinds.length) continue;
    const places = kinds.map(by => ({by, node: h("div", {})}));
    body.append(
      h("h3", {}, partName(part)),
      h("div", {class: "keys"}, ids.map(key)),
      h(
        "div",
        {class: "pair"},
        places.map(({by, node}) =>
          h(
            "figure",
            {class: "card"},
            h("figcaption", {class: "faint"}, `${titled(state.slice)} by ${by.replace("_", " ")}`),
            node,
          ),
        ),
      ),
    );
    for (const {by, node} of places)
      dotChart(node, sliced(ids, by), ids, `${by.replace("_", " ")}, quarters of the users`);
  }
}
function sliced(ids, by) {
  const groups = new Map();
  for (const id of ids)
    for (const run of METHODS[id].runs)
      for (const row of run.slices.filter(one => one.by === by)) {
        const name = row.from === row.to ? `${row.from}` : `${row.from}–${row.to}`;
        if (!groups.has(name)) groups.set(name, {name, sums: {}, values: {}});
        const {sums} = groups.get(name);
        if (typeof row[state.slice] === "number") (sums[id] ??= []).push(row[state.slice]);
      }
  for (const group of groups.values())
    for (const [id, values] of Object.entries(group.sums))
      group.values[id] = values.reduce((a, b) => a + b) / values.length;
  return [...groups.values()];
}

function showCards() {
  const ids = state.chosen.filter(id => METHODS[id].runs[0].card),
    body = find("cards-body");
  if (!ids.length) return body.replaceChildren(nothing("Choose finished runs in the table."));
  const columns = ids.map(id => described(METHODS[id].runs[0])),
    names = [...new Set(columns.flatMap(Object.keys))];
  const differs = name => columns.some(column => column[name] !== columns[0][name]);
  const decides = name => CONTENT.judged.includes(name.split(".")[0]);
  const shown = names.filter(name => !state.differing || ids.length < 2 || differs(name));
  const head = h(
    "tr",
    {},
    h("th", {scope: "col"}, "Field"),
    ids.map(id =>
      h("th", {scope: "col"}, key(id), METHODS[id].runs.length > 1 ? `, seed ${METHODS[id].runs[0].seed}` : ""),
    ),
  );
  const lines = shown.map(name =>
    h(
      "tr",
      {class: decides(name) && differs(name) ? "decides" : null, "data-field": name},
      h("th", {scope: "row"}, name),
      columns.map(column => cardCell(column[name] ?? "")),
    ),
  );
  const marked = shown.some(name => decides(name) && differs(name));
  body.replaceChildren(
    h(
      "div",
      {class: "scroll box", tabindex: 0, role: "region", "aria-label": "Cards"},
      h(
        "table",
        {class: "cards"},
        h("thead", {}, head),
        h(
          "tbody",
          {},
          lines.length ? lines : h("tr", {}, h("td", {colspan: ids.length + 1}, "They differ in nothing.")),
        ),
      ),
    ),
    ...(marked
      ? [
          h(
            "p",
            {class: "note"},
            "A coloured field decides what a number means: runs that differ in it are not compared.",
          ),
        ]
      : []),
  );
}
// A hash is known by its beginning.
function cardCell(text) {
  const hash = /^[0-9a-f]{40,}(-dirty)?$/.exec(text);
  return hash ? h("td", {title: text}, `${text.slice(0, 12)}…${hash[1] ?? ""}`) : h("td", {}, text);
}
function described(run) {
  const values = Object.entries(run.test).map(([name, value]) => [`test ${titled(name)}`, fixed(value)]);
  return {folder: run.folder, ...run.card, ...Object.fromEntries(values)};
}
