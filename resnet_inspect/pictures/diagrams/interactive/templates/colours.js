// Fills: by stage, by kind of op, by what a diff found, or as a heat map of any count.

const HEATS = [
  "macs", "params", "activations", "flops", "traffic", "intensity", "receptive_field", "activation_bytes",
];
const TITLES = { share: "Share of MACs", receptive_field: "Receptive field", activation_bytes: "Activation memory" };
const KINDS = [...SUMMED, "pair"];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const onRamp = (name, count, share) => {
  const stops = Array.from({ length: count }, (_, at) => channels(colour(`--${name}${at}`)));
  const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const below = Math.min(Math.floor(at), stops.length - 2);
  return stops[below].map((one, i) => Math.round(one + (stops[below + 1][i] - one) * (at - below)));
};
const linear = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
const isBright = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) > 0.179;

const amount = (part, key) => {
  const value = part.value(key);
  return value === null ? null : Math.max(...[value].flat().map(Number));
};

const changeOf = (part) => {
  const found = new Set(part.layers.map((layer) => part.net.changes[layer]));
  found.delete("resized");
  if (found.size > 1) return "changed";
  return [...found][0] ?? "same";
};

const opFill = (at) => (page.categories[at] === "other" ? "--quiet" : `--fill${at % page.fills}`);

const categoryOf = (part) => (part.main === null ? null : part.net.categories[part.main]);

const stageFill = (part) => {
  if (part.stage === null) return channels(colour("--quiet"));
  const last = part.net.stages.filter(({ stage }) => stage !== null).length - 1;
  return onRamp("stage", page.stages, part.stage / Math.max(last, 3));
};

const fillOf = (part, by) => {
  if (by === "change") return changeOf(part) === "same" ? "--quiet" : `--${changeOf(part)}`;
  if (by !== "op") return "--page";
  const at = categoryOf(part);
  return at === null ? "--quiet" : opFill(at);
};

const swatch = (name, words) => {
  const made = make("span", "swatch", words);
  made.style.setProperty("--fill", `var(${name})`);
  return made;
};

const legend = document.getElementById("legend");
const heat = document.getElementById("heat");

const strokes = () => {
  const kinds = new Set(nets.flatMap((net) => net.edges.map(([, , way]) => way)).filter(Boolean));
  return [...kinds].sort().map((kind) => make("span", `sample ${kind}`, kind === "padding" ? "zero padding" : kind));
};

const paint = () => {
  const by = heat.value;
  const shown = nets.flatMap((net) => net.parts.filter((part) => !part.open && part.drawn));
  const of = KINDS.includes(nets[0].columns[nets[0].column[by]]?.[2]);
  const most = of ? Math.max(0, ...shown.map((part) => amount(part, by) ?? 0)) : 0;
  shown.filter((part) => !isSign(part)).forEach((part) => {
    const known = of ? amount(part, by) : 0;
    const fill = of && known !== null ? onRamp("ramp", page.ramp, most ? known / most : 0)
      : by === "stage" ? stageFill(part) : channels(colour(fillOf(part, by)));
    part.head.style.setProperty("--fill", `rgb(${fill})`);
    part.head.classList.toggle("on-dark", !isBright(fill));
    part.head.classList.toggle("unknown", known === null);
  });
  const meaning = [];
  if (of) {
    const [, title, kind] = nets[0].columns[nets[0].column[by]];
    const end = kind === "count" ? compact(Math.round(most)) : show(most, kind);
    meaning.push(make("span", "", "0"), make("span", "ramp"), make("span", "", `${end} ${TITLES[by] ?? title} in a box`));
  } else if (by === "op") {
    const seen = new Set(shown.map(categoryOf).filter((at) => at !== null));
    [...seen].sort((a, b) => a - b).forEach((at) => meaning.push(swatch(opFill(at), page.categories[at])));
    if (!seen.size) meaning.push(make("span", "", "unfold boxes to see their ops"));
  } else if (by === "change") {
    ["added", "removed", "changed"].forEach((change) => meaning.push(swatch(`--${change}`, change)));
  }
  legend.replaceChildren(...strokes(), ...meaning);
};

const fillHeats = () => {
  const choices = [["none", "None"], ["stage", "Stage"], ["op", "Kind of op"]];
  if (nets.some((net) => net.changes.length)) choices.push(["change", "What changed"]);
  nets[0].columns.filter(([key]) => HEATS.includes(key)).forEach(([key, title]) => choices.push([key, TITLES[key] ?? title]));
  heat.append(...choices.map(([value, words]) => make("option", "", words, { value })));
  heat.value = page.color_by;
};
