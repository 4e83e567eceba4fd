// Charts as SVG, drawn for the width that they have.
const MARGIN = {left: 52, right: 12, top: 10, bottom: 34};
const HEIGHT = 280;

function ticks(low, high, number) {
  const rough = (high - low) / number || 1,
    power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(of => of * power).find(of => of >= rough * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-6; at += step)
    found.push(+at.toPrecision(12));
  return found;
}
function axisText(value, values) {
  const step = values.length > 1 ? Math.abs(values[1] - values[0]) : 1;
  return value.toFixed(Math.min(6, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))));
}

// The room of a chart: scales, grid, and the texts beside it.
function room(width, xs, ys, names) {
  const [x0, x1] = xs,
    y0 = ys[0],
    y1 = ys[1] === ys[0] ? ys[0] + 1 : ys[1];
  const x = value => MARGIN.left + ((value - x0) / (x1 - x0 || 1)) * (width - MARGIN.left - MARGIN.right);
  const y = value => HEIGHT - MARGIN.bottom - ((value - y0) / (y1 - y0)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const rows = ticks(y0, y1, 5),
    base = HEIGHT - MARGIN.bottom;
  const grid = rows.map(value =>
    svg(
      "g",
      {},
      svg("line", {class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value)}),
      svg("text", {x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end"}, axisText(value, rows)),
    ),
  );
  grid.push(svg("line", {class: "axis", x1: MARGIN.left, x2: width - MARGIN.right, y1: base, y2: base}));
  return {
    x,
    y,
    base,
    grid,
    label: text => svg("text", {x: (width + MARGIN.left) / 2, y: HEIGHT - 2, "text-anchor": "middle"}, text),
    names,
  };
}

// lines: [{id, name, xs, ys, best, main}]
function lineChart(place, lines, title) {
  const drawn = lines.filter(line => line.ys.some(value => value !== null));
  if (!drawn.length) return place.replaceChildren(h("p", {class: "empty"}, "None of the chosen runs has logged this."));
  const width = Math.max(260, place.clientWidth),
    all = drawn.flatMap(line => line.ys).filter(value => value !== null);
  const low = Math.min(...all),
    high = Math.max(...all),
    edge = (high - low) * 0.04;
  const xs = [Math.min(...drawn.flatMap(line => line.xs)), Math.max(...drawn.flatMap(line => line.xs))];
  const {x, y, base, grid, label} = room(width, xs, [low - edge, high + edge]);
  const below = ticks(xs[0], xs[1], Math.max(2, Math.floor(width / 90))).filter(Number.isInteger);
  const marks = below.map(value => svg("text", {x: x(value), y: base + 17, "text-anchor": "middle"}, `${value}`));
  const curves = drawn.map(line => {
    const points = line.xs
      .map((at, n) => (line.ys[n] === null ? null : `${x(at).toFixed(1)},${y(line.ys[n]).toFixed(1)}`))
      .filter(Boolean);
    const best = line.xs.indexOf(line.best),
      shown = best >= 0 && line.ys[best] !== null && line.dotted;
    return svg(
      "g",
      {tone: tone(line.id)},
      svg("polyline", {class: line.main ? "line" : "line other", points: points.join(" ")}),
      shown && svg("circle", {class: "dot", cx: x(line.best), cy: y(line.ys[best]), r: 4.5}),
    );
  });
  const cross = svg("line", {class: "cross", y1: MARGIN.top, y2: base, visibility: "hidden"});
  const picture = svg(
    "svg",
    {viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": `${title} by epoch`},
    grid,
    marks,
    label("epoch"),
    cross,
    curves,
  );
  const tip = h("div", {class: "tip", hidden: true});
  picture.addEventListener("pointermove", event => {
    const at = ((event.clientX - picture.getBoundingClientRect().left) * width) / picture.clientWidth;
    const epochs = [...new Set(drawn.flatMap(line => line.xs))];
    const epoch = epochs.reduce((one, other) => (Math.abs(x(other) - at) < Math.abs(x(one) - at) ? other : one));
    cross.setAttribute("x1", x(epoch));
    cross.setAttribute("x2", x(epoch));
    cross.setAttribute("visibility", "visible");
    const rows = drawn
      .filter(line => line.main && line.xs.includes(epoch))
      .map(line => [line, line.ys[line.xs.indexOf(epoch)]]);
    tip.replaceChildren(
      h("b", {}, `epoch ${epoch}`),
      ...rows
        .filter(row => row[1] !== null)
        .sort((a, b) => b[1] - a[1])
        .map(([line, value]) =>
          h("div", {}, h("span", {class: "key", tone: tone(line.id)}, line.name), h("span", {}, shortly(value))),
        ),
    );
    tip.hidden = false;
    const left = x(epoch) + 12 + tip.offsetWidth > width ? x(epoch) - 12 - tip.offsetWidth : x(epoch) + 12;
    tip.style.left = `${Math.max(0, left)}px`;
  });
  picture.addEventListener("pointerleave", () => {
    tip.hidden = true;
    cross.setAttribute("visibility", "hidden");
  });
  place.replaceChildren(h("div", {class: "plot"}, picture, tip));
}

// Values of the chosen methods in each of several groups of users: dots side by side.
function dotChart(place, groups, ids, title) {
  const all = groups
    .flatMap(group => ids.map(id => group.values[id]))
    .filter(value => value !== undefined && value !== null);
  if (!all.length) return place.replaceChildren(h("p", {class: "empty"}, "The chosen runs have no such slices."));
  const width = Math.max(260, place.clientWidth),
    high = Math.max(...all) * 1.06;
  const {x, y, base, grid, label} = room(width, [-0.5, groups.length - 0.5], [0, high]);
  const apart = Math.min(14, ((x(1) - x(0)) * 0.7) / Math.max(1, ids.length));
  const dots = groups.flatMap((group, n) =>
    ids.map((id, nth) =>
      group.values[id] === undefined
        ? null
        : svg(
            "g",
            {tone: tone(id)},
            svg("line", {
              class: "thin",
              x1: x(n) + (nth - (ids.length - 1) / 2) * apart,
              x2: x(n) + (nth - (ids.length - 1) / 2) * apart,
              y1: base,
              y2: y(group.values[id]),
              opacity: 0.35,
            }),
            svg(
              "circle",
              {class: "dot", cx: x(n) + (nth - (ids.length - 1) / 2) * apart, cy: y(group.values[id]), r: 5},
              svg("title", {}, `${METHODS[id].name}: ${fixed(group.values[id])}`),
            ),
          ),
    ),
  );
  const marks = groups.map((group, n) => svg("text", {x: x(n), y: base + 17, "text-anchor": "middle"}, group.name));
  place.replaceChildren(
    h(
      "div",
      {class: "plot"},
      svg(
        "svg",
        {viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": title},
        grid,
        marks,
        label(title),
        dots,
      ),
    ),
  );
}

// A difference with its intervals, on a scale that all rows share.
function intervalChart(row, reach) {
  const x = value => 150 + (value / reach) * 140;
  const line = (kind, [from, to]) => svg("line", {class: kind, x1: x(from), x2: x(to), y1: 16, y2: 16});
  return svg(
    "svg",
    {viewBox: "0 0 300 32", preserveAspectRatio: "none", "aria-hidden": "true"},
    svg("line", {class: "zero", x1: 150, x2: 150, y1: 0, y2: 32}),
    row.seeds && line("thin", row.seeds),
    line("thick", row.users),
    svg("line", {class: "mean", x1: x(row.mean), x2: x(row.mean), y1: 8, y2: 24}),
  );
}
