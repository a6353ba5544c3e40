// Parts as boxes, in stacks and side by side. A folded part has one box, an open one a frame.

const NS = "http://www.w3.org/2000/svg";

// What is said of a layer, with what is folded into it before and after.
const wordsOf = (part) => [part.said.before, part.net.captions[part.main], part.said.after];

const aboutOf = (part) => (part.main === null ? part.kind : wordsOf(part).filter(Boolean).join(" "));

const isSign = (part) => part.main !== null && ["+", "×"].includes(part.net.captions[part.main]);

const lineOf = (line) => {
  if (typeof line === "string") return make("span", "line", line);
  const columns = make("span", "columns");
  line.forEach((column) => {
    const made = make("span", "column");
    made.append(...column.map(lineOf));
    columns.append(made);
  });
  return columns;
};

const label = (part) => {
  const run = part.run && part.run.count > 1 && part.run.rolled ? `, drawn for ${part.run.count} alike` : "";
  const out = show(part.value("output_shape"), "shape");
  return `${part.name}, ${aboutOf(part)}${run}. ${part.figures || "no parameters, no MACs"}. Output ${out}`;
};

// A layer's name within its block; blocks have their whole name.
const shortName = (part) => {
  let at = part.main === null ? null : part.parent;
  while (at && at.level === "conv") at = at.parent;
  const around = at ? `${at.name.replace(/ \(\d+\)$/, "")}.` : "";
  return around && part.name.startsWith(around) ? part.name.slice(around.length) : part.name;
};

const folded = (part) => {
  const box = make("div", "box");
  if (part.main !== null) {
    const [before, caption, after] = wordsOf(part);
    if (before) box.append(make("span", "light", before));
    box.append(make("span", "caption", caption));
    if (after) box.append(make("span", "light", after));
    if (!isSign(part)) box.append(make("span", "name", shortName(part)));
  } else {
    box.append(make("span", "name", part.name === part.kind ? part.name : `${part.name} · ${part.kind}`));
    part.said.said.forEach(([lines, count]) => {
      const block = make("span", count > 1 ? "block times" : "block");
      const stack = make("span", "stack");
      stack.append(...lines.map(lineOf));
      block.append(stack);
      if (count > 1) block.append(make("b", "", `× ${count}`));
      box.append(block);
    });
    if (part.level === "stage") part.said.cuts.forEach((words) => box.append(make("span", "cut", words)));
  }
  const figures = isSign(part) ? "" : part.figures;
  if (figures) box.append(make("span", "figures", figures));
  const [into, out] = ["input_shape", "output_shape"].map((key) => show(part.value(key), "shape"));
  if (out !== into) box.append(make("span", "shape", `→ ${out}`));
  return box;
};

const opened = (part) => {
  const bar = make("div", "bar");
  bar.append(make("b", "", shortName(part)));
  if (part.kind !== part.name && part.main === null) bar.append(make("span", "", part.kind));
  if (part.level !== "conv" && part.figures) bar.append(make("span", "figures", part.figures));
  return bar;
};

const looksOf = (part) => {
  const looped = !part.open && part.level === "unit" && part.said.strokes.length;
  const looks = ["part", part.level, part.open && "open", isSign(part) && "sign", looped && "looped"];
  return looks.filter(Boolean).join(" ");
};

const drawPart = (part) => {
  const el = make("div", looksOf(part), "", {
    role: "treeitem", tabindex: "-1", "aria-label": label(part),
  });
  if (part.folds) el.setAttribute("aria-expanded", String(part.open));
  if (isSign(part)) el.dataset.sign = part.net.captions[part.main];
  const head = part.open ? opened(part) : folded(part);
  head.setAttribute("aria-hidden", "true"); // the label says it
  if (part.folds) head.prepend(make("i", "toggle"));
  el.append(head);
  if (part.open) {
    const kids = make("div", "kids", "", { role: "group" });
    kids.append(...part.items.map(drawItem));
    el.append(kids);
  }
  part.el = el;
  part.head = head;
  el.holds = part;
  return el;
};

const drawRun = (run) => {
  if (run.count === 1) return drawPart(run.units[0]);
  const box = make("div", `run${run.rolled ? "" : " unrolled"}`, "", { role: "none" });
  const badge = make("button", "badge", `× ${run.count}`, {
    type: "button", tabindex: "-1", title: run.rolled ? "List them one by one (r)" : "Draw them once (r)",
    "aria-label": `${run.count} alike: ${run.rolled ? "list them one by one" : "draw them once"}`,
  });
  badge.run = run;
  const units = make("div", "units", "", { role: "none" });
  units.append(...run.units.slice(0, run.rolled ? run.each : undefined).map(drawPart));
  box.append(units, badge);
  return box;
};

const column = (items, name) => {
  const made = make("div", name, "", { role: "none" });
  made.append(...items.map(drawItem));
  return made;
};

// Columns side by side; with one that is not a shortcut or gate, that one keeps to the middle.
const drawParallel = (item) => {
  const main = item.side.filter((side) => !side).length;
  const row = make("div", `parallel${main === 1 ? " around" : ""}`, "", { role: "none" });
  item.wires = [];
  const drawn = item.runs.map((run) => {
    const made = column(run, "series");
    if (!run.length) {
      const wire = make("i", "wire");
      item.wires.push(wire);
      made.append(wire);
    }
    return made;
  });
  row.item = item;
  if (main === 1) {
    const beside = make("div", "beside", "", { role: "none" });
    beside.append(...drawn.filter((_, at) => item.side[at]));
    row.append(make("i"), drawn[item.side.indexOf(false)], beside);
  } else row.append(...drawn);
  return row;
};

const drawItem = (item) => {
  if (item instanceof Part) return drawPart(item);
  if (item.units) return drawRun(item);
  if (item.runs) return drawParallel(item);
  const rows = make("div", "free", "", { role: "none" });
  rows.append(...item.ranks.map((row) => column(row, "rank")));
  return rows;
};

const drawEnd = (net, words) => {
  const el = make("div", "end", words, { role: "none" });
  return { id: parts++, el, head: el, net };
};

const drawNetwork = (net) => {
  if (!net.el) {
    net.el = make("section", "net", "", { "aria-label": net.name });
    net.about = make("button", "about", "", { type: "button", "aria-label": `${net.name}: the whole network` });
    const whole = (key) => show(net.rows[net.row][net.column[key]], "count");
    net.about.append(make("b", "", net.name), make("span", "", `${whole("params")} parameters`),
      make("span", "", `${whole("macs")} MACs`));
    net.about.net = net;
    net.lines = document.createElementNS(NS, "svg");
    net.lines.setAttribute("aria-hidden", "true");
    net.tree = make("div", "tree kids", "", { role: "tree", "aria-label": `Layers of ${net.name}` });
    net.el.append(net.about, net.lines, net.tree);
    net.ends = [...net.inputs.map((words) => drawEnd(net, words)),
      ...net.outputs.map((_, at) => drawEnd(net, net.outputs.length > 1 ? `output ${at + 1}` : "output"))];
  }
  const row = (ends) => {
    const made = make("div", "rank", "", { role: "none" });
    made.append(...ends.map((end) => end.el));
    return made;
  };
  net.tree.style.removeProperty("--lanes");
  const count = net.inputs.length;
  net.tree.replaceChildren(row(net.ends.slice(0, count)), ...net.stages.map(drawPart), row(net.ends.slice(count)));
};
