"use strict";
// The networks of the page: parts that fold, their rows, and which layer reads which.

const page = JSON.parse(document.getElementById("data").textContent);
const LEVELS = ["stage", "unit", "conv", "layer"];

const make = (tag, name, text, attributes = {}) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
};

// Numbers as the tables have them: exact counts with separators, the rest rounded.
const grouped = (count) => BigInt(count).toLocaleString("en");
const bytes = (count) => {
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let size = Number(count), unit = "";
  while (Math.abs(size) >= (unit ? 1023.95 : 1024) && units.length) {
    size /= 1024;
    unit = units.shift();
  }
  return unit ? `${size.toFixed(1)} ${unit} (${grouped(count)} B)` : `${grouped(count)} B`;
};
const rounded = (value, digits) => value.toLocaleString("en", {
  minimumFractionDigits: digits, maximumFractionDigits: digits, roundingMode: "halfEven",
});
const dims = (sizes) => sizes.join("×");
const SHOWN = {
  count: grouped,
  bytes,
  share: (value) => `${rounded(100 * value, 1)}%`,
  ratio: (value) => rounded(value, 2),
  pair: (value) => (Array.isArray(value) && new Set(value).size > 1 ? dims(value) : String([value].flat()[0])),
};
const SUMMED = ["count", "bytes", "share", "ratio"];
const show = (value, kind) => {
  if (value === null) return SUMMED.includes(kind) ? "?" : "";
  if (SHOWN[kind]) return SHOWN[kind](value);
  return Array.isArray(value) ? dims(value) : String(value);
};
const compact = (count) => {
  let size = Number(count), at = 0;
  while (size >= 999.5 && at < 4) { size /= 1000; at += 1; }
  if (!at) return String(count);
  return `${size.toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0)} ${"KMGT"[at - 1]}`;
};

let parts = 0;

class Part {
  // A part that has a box of its own. parent: the part it is in; run: the repeats it belongs to.
  constructor(net, said, parent, run = null) {
    Object.assign(this, { net, said, parent, run, id: parts++, el: null, open: false });
    this.layer = typeof said === "number" ? said : null;
    this.level = this.layer === null ? said.level : "layer";
    this.stage = said.stage !== undefined ? said.stage : parent ? parent.stage : null;
    this.values = net.rows[this.layer ?? said.row];
    this.items = this.layer === null ? net.items(said.parts, this) : [];
    if (this.layer !== null) net.leaves[this.layer] = this;
    net.parts.push(this);
  }

  value(key) { return this.values[this.net.column[key]]; }
  get name() { return this.layer === null ? this.said.name : this.net.names[this.layer] ?? this.value("name"); }
  get kind() { return this.layer === null ? this.said.kind : this.value("op"); }
  get folds() { return this.layer === null; }
  get main() { return this.layer ?? this.said.main ?? null; }
  get drawn() { return Boolean(this.el && this.el.isConnected); }

  // What is drawn for it: itself, or what it is folded into.
  get shown() {
    let at = this;
    while (at && !at.drawn) at = at.parent;
    return at;
  }

  // The layers in it, in running order.
  get layers() {
    if (this.layer !== null) return [this.layer];
    return (this.held ??= inside(this.items).flatMap((part) => part.layers));
  }

  get figures() {
    const [params, macs] = [this.value("params"), this.value("macs")];
    const missing = this.value("uncounted") ? "+ ?" : "";
    const words = params && Number(params) ? [`${compact(params)} params`] : [];
    if (macs === null) words.push("? MACs");
    else if (missing || Number(macs)) words.push(`${compact(macs)}${missing} MACs`);
    return words.join(" · ");
  }
}

// The parts among items: of a run, of columns side by side, of rows of interwoven layers.
const inside = (items) =>
  items.flatMap((item) => (item instanceof Part ? [item] : inside((item.units ?? item.runs ?? item.ranks).flat())));

class Network {
  constructor(said) {
    Object.assign(this, said, { parts: [], leaves: [], runs: [], later: new Map() });
    this.column = Object.fromEntries(said.columns.map(([key], at) => [key, at]));
    this.stages = said.tree.map((stage) => new Part(this, stage, null));
    this.runs.forEach((run) => run.later.forEach((drawn, at) => this.later.set(run.start + at, { run, drawn })));
    this.reads = this.leaves.map(() => []);
    this.readers = this.leaves.map(() => []);
    said.edges.forEach(([from, to]) => {
      this.reads[to].push(from);
      if (from >= 0) this.readers[from].push(to);
    });
  }

  items(said, parent) {
    return said.map((item) => {
      if (typeof item === "number" || item.parts) return new Part(this, item, parent);
      if (item.ranks) return { ranks: item.ranks.map((row) => this.items(row, parent)) };
      if (item.runs) return { ...item, runs: item.runs.map((run) => this.items(run, parent)) };
      const run = { ...item, rolled: item.count > 1 && !page.expand };
      run.units = item.units.map((unit) => new Part(this, unit, parent, run));
      run.each = run.units.length / run.count;
      if (run.count > 1) this.runs.push(run);
      return run;
    });
  }

  // Fold and unfold so that boxes are of this level: stages, blocks, convolutions or layers.
  setLevel(level) {
    const deep = LEVELS.indexOf(level);
    this.parts.forEach((part) => { part.open = part.folds && LEVELS.indexOf(part.level) < deep; });
  }

  // Open whatever a part lies in.
  reveal(part) {
    for (let at = part; at; at = at.parent) {
      if (at !== part) at.open = true;
      if (at.run && at.run.units.indexOf(at) >= at.run.each) at.run.rolled = false;
    }
  }

  // The layer that stands for a layer: that of the first of its repeats, where these are rolled up.
  first(layer) {
    const later = this.later.get(layer);
    return later && later.run.rolled ? later.drawn : layer;
  }

  // The edges that can be seen, each once.
  visibleEdges() {
    const end = (layer) => (layer < 0 ? this.ends[~layer] : this.leaves[this.first(layer)].shown);
    const found = new Map();
    this.edges.forEach(([from, to, way]) => {
      if (from >= 0 && this.first(from) >= this.first(to)) return; // from one repeat to the next
      const [tail, head] = [end(from), end(to)];
      if (tail === head || !tail || !head) return;
      const key = `${tail.id} ${head.id}`;
      if (!found.has(key) || !way) found.set(key, { tail, head, way });
    });
    this.outputs.forEach((from, at) => {
      found.set(`out ${at}`, { tail: end(from), head: this.ends[this.inputs.length + at], way: "" });
    });
    return [...found.values()];
  }
}

const nets = page.networks.map((said) => new Network(said));
