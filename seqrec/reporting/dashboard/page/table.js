// The table of methods: parts below one another, since numbers of two parts mean different things.
function columns() {
  const k = state.cutoff,
    value = (split, name) => method => method[split][name]?.[0] ?? null;
  return [
    {id: "name", title: "Model", text: true, of: method => method.name},
    {id: "arguments", title: "What differs", text: true, of: method => method.differing.join(" ")},
    {id: "seeds", title: "Seeds", of: method => method.runs.length},
    {id: "val", title: `Val NDCG@${k}`, of: value("val", `ndcg@${k}`), cell: method => spread(method.val[`ndcg@${k}`])},
    {id: "recall", title: `Recall@${k}`, of: value("test", `recall@${k}`), metric: `recall@${k}`},
    {id: "ndcg", title: `NDCG@${k}`, of: value("test", `ndcg@${k}`), metric: `ndcg@${k}`, bar: true},
    {id: "mrr", title: "MRR", of: value("test", "mrr"), metric: "mrr"},
    {
      id: "best",
      title: "Best epoch",
      of: method => method.best,
      cell: method => (method.best === null ? "" : +method.best.toFixed(1)),
    },
    {id: "hours", title: "Time", of: method => method.hours, cell: method => duration(method.hours)},
    ...(METHODS.some(method => bundleOf(method) !== null)
      ? [
          {
            id: "bundle",
            title: "Bundle",
            of: bundleOf,
            cell: method => (bundleOf(method) === null ? "" : megabytes(bundleOf(method))),
          },
        ]
      : []),
  ];
}
function bundleOf(method) {
  const sizes = method.runs.flatMap(run => Object.values(run.bundles));
  return sizes.length ? Math.min(...sizes) : null;
}
function spread(pair, half) {
  if (!pair) return "";
  const lines = [pair[1] === null ? null : `± ${fixed(pair[1])}`, half ? `(${fixed(half)})` : null];
  return [fixed(pair[0]), " ", h("span", {class: "sd"}, ...lines.filter(Boolean).map(line => h("span", {}, line)))];
}

function matches(method) {
  const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [method.name, method.data, ...method.arguments, ...method.runs.map(run => `${run.folder} ${run.status}`)]
    .join(" ")
    .toLowerCase();
  return (
    (!state.model || method.model === state.model) &&
    (!state.data || method.data === state.data) &&
    words.every(word => text.includes(word))
  );
}

function ordered(rows, column) {
  const sign = state.down ? -1 : 1;
  return [...rows].sort((one, other) => {
    const a = column.of(one),
      b = column.of(other);
    if (a === null || b === null || a === b) return (a === null) - (b === null); // what has no value comes last
    return sign * (column.text ? String(a).localeCompare(b, "en", {numeric: true}) : a - b);
  });
}

function showTable() {
  const all = columns(),
    column = all.find(one => one.id === state.sort) ?? all.find(one => one.id === "ndcg");
  const head = all.map(one =>
    h(
      "th",
      {
        scope: "col",
        class: one.text ? null : one.metric || one.id === "val" ? "num spread" : "num",
        "aria-sort": one === column ? (state.down ? "descending" : "ascending") : null,
      },
      h("button", {type: "button", "data-sort": one.id, onclick: () => sortBy(one, column)}, one.title),
    ),
  );
  const shown = METHODS.map((method, id) => ({...method, id})).filter(matches);
  const bodies = [...PARTS.keys(), null].map(place =>
    body(
      place,
      ordered(
        shown.filter(one => one.part === place),
        column,
      ),
      all,
    ),
  );
  find("table").className = METHODS.some(one => one.runs.length > 1 || Object.keys(one.users).length) ? "spreads" : "";
  find("table").replaceChildren(
    h("caption", {hidden: true}, "Methods by data set and protocol"),
    h("thead", {}, h("tr", {}, head)),
    ...bodies.filter(Boolean),
  );
  const runs = shown.reduce((sum, method) => sum + method.runs.length, 0);
  find("shown").textContent =
    shown.length === METHODS.length
      ? `${many(METHODS.length, "method")}, ${many(runs, "run")}`
      : `${shown.length} of ${many(METHODS.length, "method")} shown, ${many(runs, "run")}`;
  find("chosen").textContent = `${many(state.chosen.length, "method")} chosen`;
}

function sortBy(column, before) {
  state.down = column === before ? !state.down : !column.text;
  state.sort = column.id;
  showTable();
  writeAddress();
  find("table").querySelector(`[data-sort=${column.id}]`).focus();
}

function body(place, rows, all) {
  if (!rows.length) return null;
  const part = PARTS[place],
    highest = name => Math.max(...METHODS.filter(one => one.part === place).map(one => one.test[name]?.[0] ?? 0));
  const best = Object.fromEntries(all.filter(one => one.metric).map(one => [one.metric, highest(one.metric)]));
  const facts = part
    ? [
        part.protocol,
        `seen items ${part.seen}`,
        many(part.users, "user"),
        part.items ? many(part.items, "item") : null,
        part.split.split(":")[0],
        `selected by val ${part.monitors.map(titled).join(", ")}`,
      ]
        .filter(Boolean)
        .join(" · ")
    : "no result yet";
  const title = h(
    "tr",
    {class: "part"},
    h(
      "th",
      {colspan: all.length, scope: "rowgroup"},
      h(
        "span",
        {class: "label", title: part?.split},
        h("b", {}, part ? part.data : "Unfinished"),
        h("span", {class: "faint"}, facts),
      ),
    ),
  );
  const lines = rows.flatMap(method => [
    methodRow(method, all, best),
    ...(state.open.has(method.id) ? method.runs.map(run => seedRow(run, all)) : []),
  ]);
  return h("tbody", {}, title, lines, part ? references(part, rows, all) : null);
}

function methodRow(method, all, best) {
  const chosen = state.chosen.includes(method.id),
    [run] = method.runs;
  const cells =
    method.part === null
      ? [
          h("td", {class: "num"}, seeds(method)),
          h("td", {class: run.status.startsWith("failed") ? "failed" : "faint", colspan: all.length - 3}, run.status),
        ]
      : all.slice(2).map(column => {
          if (column.id === "seeds") return h("td", {class: "num"}, seeds(method));
          const lead = column.metric && column.of(method) !== null && column.of(method) === best[column.metric];
          const cell = h(
            "td",
            {class: `num${lead ? " lead" : ""}${column.bar ? " bar" : ""}`},
            column.metric ? spread(method.test[column.metric], method.users[column.metric]) : column.cell(method),
          );
          if (column.bar && column.of(method) !== null)
            cell.style.backgroundSize = `${((78 * column.of(method)) / best[column.metric]).toFixed(1)}% 3px`;
          return cell;
        });
  const box = h("input", {
    type: "checkbox",
    checked: chosen,
    "data-id": method.id,
    disabled: !chosen && state.chosen.length >= MOST,
    title: chosen || state.chosen.length < MOST ? null : `At most ${MOST} are shown at once`,
    onchange: event => choose(method.id, event.target.checked),
  });
  return h(
    "tr",
    {class: "method", "data-id": method.id, ...(chosen ? {tone: tone(method.id)} : {})},
    h("th", {scope: "row"}, h("label", {}, box, method.model || method.name)),
    h(
      "td",
      {class: "arguments"},
      method.differing.map(text => h("span", {class: "argument", title: text}, text)),
    ),
    cells,
  );
}

function seeds(method) {
  const open = state.open.has(method.id),
    [run] = method.runs;
  const label =
    method.runs.length > 1 ? many(method.runs.length, "seed") : run.seed === null ? "run" : `seed ${run.seed}`;
  return h(
    "button",
    {
      type: "button",
      class: "fold",
      "aria-expanded": `${open}`,
      "data-fold": method.id,
      onclick: () => {
        open ? state.open.delete(method.id) : state.open.add(method.id);
        showTable();
        find("table").querySelector(`[data-fold="${method.id}"]`).focus();
      },
    },
    label,
  );
}

function seedRow(run, all) {
  const k = state.cutoff,
    cells = all.slice(2).map(column => {
      if (column.metric)
        return h("td", {class: "num"}, run.test ? spread([run.test[column.metric] ?? null, null]) : "");
      const text = {
        val: () => (run.val ? spread([run.val[`ndcg@${k}`] ?? null, null]) : ""),
        best: () => (run.best === undefined ? "" : `${run.best} of ${run.epochs}`),
        hours: () => duration(run.hours),
        seeds: () => "",
        bundle: () =>
          Object.entries(run.bundles)
            .map(([quant, bytes]) => `${quant === "none" ? "float32" : quant} ${megabytes(bytes)}`)
            .join(", "),
      }[column.id];
      return h("td", {class: "num"}, text());
    });
  return h(
    "tr",
    {class: "seed"},
    h("th", {scope: "row"}, run.seed === null ? "run" : `seed ${run.seed}`),
    h("td", {class: "folder"}, run.folder),
    cells,
  );
}

// What nothing was learned for, unless it is among the runs.
function references(part, rows, all) {
  if (state.text || state.model) return [];
  const names = Object.keys(part.references).filter(name => !rows.some(method => method.model === name));
  return names.map(name =>
    h(
      "tr",
      {class: "reference"},
      h("th", {scope: "row"}, name),
      h("td", {}, "reference"),
      all
        .slice(2)
        .map(column =>
          h("td", {class: "num"}, column.metric ? spread([part.references[name][column.metric] ?? null, null]) : ""),
        ),
    ),
  );
}
