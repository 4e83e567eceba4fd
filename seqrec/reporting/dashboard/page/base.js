// The data, the state of the page, and what all parts use. Texts of runs are only ever set as text, never as markup.
const CONTENT = JSON.parse(document.getElementById("content").textContent);
const {parts: PARTS, methods: METHODS} = CONTENT;
const MOST = 8; // methods that are shown beside one another, one colour each
const SVG = "http://www.w3.org/2000/svg";
const find = id => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "tone") node.style.setProperty("--tone", `var(--s${value})`);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return node;
}
const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// What a link to the page keeps: #runs?chosen=0,3&sort=ndcg
const state = {
  chosen: [],
  open: new Set(),
  sort: "",
  down: true,
  text: "",
  model: "",
  data: "",
  cutoff: "",
  val: "",
  train: "",
  compared: "",
  slice: "",
  differing: true,
};
const KEPT = ["sort", "text", "model", "data", "cutoff", "val", "train", "compared", "slice"];

function readAddress() {
  const given = new URLSearchParams(location.hash.split("?")[1] ?? "");
  for (const name of KEPT) if (given.has(name)) state[name] = given.get(name);
  if (given.has("up")) state.down = false;
  if (!given.has("chosen")) return false;
  const asked = given.get("chosen").split(",").filter(Boolean).map(Number);
  state.chosen = [...new Set(asked.filter(id => METHODS[id]))].slice(0, MOST);
  return true;
}

function writeAddress() {
  const kept = new URLSearchParams({chosen: state.chosen.join()});
  for (const name of KEPT) if (state[name]) kept.set(name, state[name]);
  if (!state.down) kept.set("up", "");
  history.replaceState(null, "", `#${location.hash.slice(1).split("?")[0] || "runs"}?${kept}`);
}

const NAMES = {ndcg: "NDCG", recall: "Recall", mrr: "MRR", map: "MAP", precision: "Precision"};
function titled(metric) {
  const [name, cutoff] = metric.split("@");
  return (NAMES[name] ?? name) + (cutoff ? `@${cutoff}` : "");
}
const fixed = value => (value === null || value === undefined ? "" : value.toFixed(4));
const signed = (value, digits = 4) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
const percent = value => (value === null ? "" : `${signed(100 * value, 1)} %`);
const shortly = value =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 1 ? value.toFixed(3) : value.toFixed(4);
function duration(hours) {
  if (hours === null || hours === undefined) return "";
  return hours < 0.1 ? `${(hours * 60).toFixed(hours < 1 / 60 ? 1 : 0)} min` : `${hours.toFixed(hours < 10 ? 1 : 0)} h`;
}
const megabytes = bytes => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)} MB`;
const many = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

// The colour of a chosen method is its place among them.
const tone = id => state.chosen.indexOf(id);
const partName = part => `${part.data}, ${part.protocol}`;
const key = id => h("span", {class: "key", tone: tone(id)}, METHODS[id].name);
function ofParts() {
  const chosen = state.chosen.filter(id => METHODS[id].part !== null);
  return [...new Set(chosen.map(id => METHODS[id].part))].map(place => ({
    place,
    part: PARTS[place],
    ids: chosen.filter(id => METHODS[id].part === place),
  }));
}

// Options of a select; the state keeps the one that was chosen as long as it is there.
function offer(node, name, values, preferred, labels = titled) {
  if (!values.includes(state[name])) state[name] = values.includes(preferred) ? preferred : (values[0] ?? "");
  node.replaceChildren(...values.map(value => h("option", {value, selected: value === state[name]}, labels(value))));
  node.value = state[name];
  node.disabled = values.length === 0;
}
