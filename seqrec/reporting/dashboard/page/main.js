// The page as a whole: what follows from a change.
function choose(id, wanted) {
  state.chosen = wanted ? [...state.chosen, id].slice(0, MOST) : state.chosen.filter(one => one !== id);
  showAll();
  find("table").querySelector(`input[data-id="${id}"]`)?.focus();
}
function showAll() {
  showTable();
  showDetails();
  writeAddress();
}
function showDetails() {
  showCurves();
  showComparison();
  showSlices();
  showCards();
}

function startingChoice() {
  const first = PARTS.length ? METHODS.map((method, id) => ({...method, id})).filter(method => method.part === 0) : [];
  const name = PARTS[0]?.middle,
    best = first.sort((one, other) => (other.test[name]?.[0] ?? 0) - (one.test[name]?.[0] ?? 0));
  return (best.length ? best.map(method => method.id) : [...METHODS.keys()]).slice(0, 4);
}

function begin() {
  const {made, version} = CONTENT.about,
    runs = METHODS.reduce((sum, method) => sum + method.runs.length, 0);
  const data = [...new Set(METHODS.map(method => method.data).filter(Boolean))].sort(),
    models = [...new Set(METHODS.map(method => method.model).filter(Boolean))].sort();
  find("about").textContent =
    `${many(runs, "run")} of ${many(METHODS.length, "method")} on ${many(data.length, "data set")}, ${made}`;
  find("made").textContent =
    `Made by seqrec ${version} with task=dashboard. Everything is in this file: it asks the network for nothing.`;
  find("legend").textContent =
    "Mean ± standard deviation over seeds, in brackets half of the 95% interval over users, " +
    "on the test split unless it says Val. " +
    "Bold: the highest of its data set and protocol. Tick methods to see them below.";
  find("model").append(...models.map(value => h("option", {value}, value)));
  find("data").append(...data.map(value => h("option", {value}, value)));
  showPapers();
  if (!readAddress()) state.chosen = startingChoice();
  const cutoffs = [...new Set(PARTS.flatMap(part => part.cutoffs))].sort((a, b) => a - b).map(String);
  offer(find("cutoff"), "cutoff", cutoffs, PARTS[0]?.middle.split("@")[1], value => value);
  for (const name of ["text", "model", "data"]) {
    find(name).value = state[name];
    find(name).addEventListener("input", () => {
      state[name] = find(name).value;
      showTable();
      writeAddress();
    });
  }
  find("filters").addEventListener("submit", event => event.preventDefault());
  find("clear").addEventListener("click", () => {
    for (const name of ["text", "model", "data"]) find(name).value = state[name] = "";
    state.chosen = [];
    showAll();
  });
  const selects = {
    cutoff: "cutoff",
    "val-metric": "val",
    "train-metric": "train",
    "compared-metric": "compared",
    "slice-metric": "slice",
  };
  for (const [id, name] of Object.entries(selects))
    find(id).addEventListener("change", () => {
      state[name] = find(id).value;
      showAll();
    });
  find("differing").addEventListener("change", event => {
    state.differing = event.target.checked;
    showCards();
  });
  for (const link of document.querySelectorAll("nav a"))
    link.addEventListener("click", event => {
      event.preventDefault();
      document.querySelector(link.getAttribute("href")).scrollIntoView();
      history.replaceState(null, "", link.getAttribute("href"));
      writeAddress();
    });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) {
      width = innerWidth;
      showCurves();
      showSlices();
    }
  });
  const seen = new IntersectionObserver(
    entries => {
      const one = entries.find(entry => entry.isIntersecting);
      if (one)
        for (const link of document.querySelectorAll("nav a"))
          link.getAttribute("href") === `#${one.target.id}`
            ? link.setAttribute("aria-current", "true")
            : link.removeAttribute("aria-current");
    },
    {rootMargin: "-20% 0px -70% 0px"},
  );
  for (const section of document.querySelectorAll("section")) seen.observe(section);
  const asked = location.hash.slice(1).split("?")[0];
  showAll();
  if (asked && document.getElementById(asked)) document.getElementById(asked).scrollIntoView();
  document.body.dataset.ready = "true";
}
begin();
