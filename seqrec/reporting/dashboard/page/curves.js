// Curves of the chosen runs: one line a seed, the first one firm.
function logged(kind) {
  const names = state.chosen.flatMap(id => METHODS[id].runs.flatMap(run => Object.keys(run.curve.values)));
  return [...new Set(names)].filter(name => name.startsWith(`${kind}/`));
}
function linesOf(name) {
  return state.chosen
    .flatMap(id =>
      METHODS[id].runs.map((run, nth) => ({
        id,
        name: METHODS[id].name,
        xs: run.curve.epoch,
        ys: run.curve.values[name] ?? run.curve.epoch.map(() => null),
        best: run.best,
        main: nth === 0,
        dotted: name.startsWith("val/"),
      })),
    )
    .filter(line => line.xs.length);
}
function showCurves() {
  const label = name => titled(name.replace(/^\w+\//, "")),
    first = state.chosen.find(id => METHODS[id].runs[0].monitor);
  const monitor = first === undefined ? "" : `val/${METHODS[first].runs[0].monitor}`;
  offer(find("val-metric"), "val", logged("val"), monitor, label);
  offer(find("train-metric"), "train", logged("train"), "train/loss", label);
  find("curve-keys").replaceChildren(...state.chosen.map(key));
  lineChart(find("val-chart"), linesOf(state.val), `Validation ${label(state.val)}`);
  lineChart(find("train-chart"), linesOf(state.train), `Training ${label(state.train)}`);
  const thinned = Math.max(1, ...state.chosen.flatMap(id => METHODS[id].runs.map(run => run.curve.every)));
  find("curve-note").textContent = state.chosen.length
    ? [
        "A dot is the epoch whose weights were tested. Losses of two methods are different quantities.",
        state.chosen.some(id => METHODS[id].runs.length > 1) ? "Thin lines are further seeds." : "",
        thinned > 1 ? `Of long runs every ${thinned}th epoch is shown.` : "",
      ]
        .filter(Boolean)
        .join(" ")
    : "";
}
