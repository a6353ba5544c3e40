// What a reader does: zoom, fold, read a row, search.

const $ = (id) => document.getElementById(id);
const [pane, sheet, details] = ["pane", "sheet", "details"].map($);
const [search, results, help] = ["search", "results", "help"].map($);
const touched = window.matchMedia("(hover: none)");
let zoom = 1;
let current = null; // the part that the keyboard is at
let pinned = null; // the part whose row stays

const clamp = (value) => Math.min(3, Math.max(0.05, value));

// What is at x, y of the pane stays there.
const setZoom = (to, x = pane.clientWidth / 2, y = pane.clientHeight / 2) => {
  const across = (pane.scrollLeft + x - sheet.offsetLeft) / zoom;
  const down = (pane.scrollTop + y - sheet.offsetTop) / zoom;
  zoom = clamp(to);
  sized();
  const [left, top] = [sheet.offsetLeft + across * zoom - x, sheet.offsetTop + down * zoom - y];
  pane.scrollTo({ left, top, behavior: "instant" });
  $("percent").textContent = `${Math.round(100 * zoom)}%`;
};

const sized = () => {
  const inner = sheet.firstElementChild;
  inner.style.transform = `scale(${zoom})`;
  sheet.style.width = `${inner.offsetWidth * zoom}px`;
  sheet.style.height = `${inner.offsetHeight * zoom}px`;
};

// As large as fits: its width, or, asked again, the whole of it.
const fit = (whole = true) => {
  const inner = sheet.firstElementChild;
  const [wide, tall] = [(pane.clientWidth - 24) / inner.offsetWidth, (pane.clientHeight - 24) / inner.offsetHeight];
  setZoom(whole ? Math.min(wide, tall, 1.5) : Math.min(wide, 1));
  pane.scrollTo({ left: (sheet.offsetWidth - pane.clientWidth) / 2, top: 0, behavior: "instant" });
};

const drawLines = () => {
  nets.forEach(drawEdges);
  if (alignStages()) nets.forEach(drawEdges);
  sized();
};

// Draw anew what folded or unfolded; what was at hand keeps its place and the focus.
const redraw = (at = null) => {
  const before = at && at.drawn ? at.el.getBoundingClientRect() : null;
  const had = document.activeElement && document.activeElement.holds;
  nets.forEach(drawNetwork);
  drawLines();
  paint();
  markHits();
  const keep = [at, had, current].find((part) => part && part.drawn) ?? nets[0].stages[0];
  setCurrent(keep, Boolean(had));
  if (before && at.drawn) {
    const after = at.el.getBoundingClientRect();
    pane.scrollBy({ left: after.left - before.left, top: after.top - before.top, behavior: "instant" });
  }
};

const setCurrent = (part, focus = true) => {
  if (current && current.el) current.el.tabIndex = -1;
  current = part;
  part.el.tabIndex = 0;
  if (focus) part.el.focus({ preventScroll: true });
};

const intoSight = (part) => {
  const box = part.head.getBoundingClientRect(), outer = pane.getBoundingClientRect();
  const below = details.getBoundingClientRect();
  const covers = below.top > outer.top + 80 && below.left < box.right;
  const bottom = covers ? Math.min(outer.bottom, below.top) : outer.bottom;
  const off = (start, end, from, to) => (start < from + 8 || end > to - 8 ? (start + end - from - to) / 2 : 0);
  pane.scrollBy({
    top: off(box.top, box.bottom, outer.top, bottom), left: off(box.left, box.right, outer.left, outer.right), behavior: "instant",
  });
};

const goTo = (part) => {
  part.net.reveal(part);
  redraw();
  setCurrent(part);
  pin(part);
  intoSight(part);
};

const toggle = (part) => {
  if (!part.folds) return pin(part);
  part.open = !part.open;
  redraw(part);
};

const roll = (run) => {
  run.rolled = !run.rolled;
  redraw(run.units[0]);
};

// The row of a part: every column of the table, and what it reads.
const link = (net, layer) => {
  if (layer < 0) return make("span", "", net.inputs[~layer]);
  const button = make("button", "", net.leaves[layer].name, { type: "button" });
  button.addEventListener("click", () => goTo(net.leaves[layer]));
  return button;
};

const listed = (title, net, layers, more = []) => {
  const row = make("tr"), cell = make("td");
  cell.append(...more);
  layers.slice(0, 12).forEach((layer) => cell.append(link(net, layer), " "));
  if (layers.length > 12) cell.append(`… ${layers.length - 12} more`);
  if (!layers.length && !more.length) cell.append("nothing");
  row.append(make("th", "", title, { scope: "row" }), cell);
  return row;
};

const rowsOf = (net, values, other) =>
  net.columns.flatMap(([key, title, kind], at) => {
    const value = values[at];
    if (key === "name" || value === "" || (value === null && show(value, kind) === "")) return [];
    const row = make("tr", "", "", { "data-key": key });
    row.append(make("th", "", title, { scope: "row" }), make("td", "", show(value, kind)));
    if (other) row.append(make("td", "", SUMMED.includes(kind) ? show(other[at], kind) : ""));
    return [row];
  });

const tell = (part) => {
  if (!part) return tellWhole(nets[0]);
  const { net, run } = part;
  const all = run && run.count > 1 && run.rolled && run.each === 1 ? net.rows[run.row] : null;
  const table = make("table");
  const head = make("tr");
  if (all) {
    head.append(make("td"), ...["this one", `all ${run.count}`].map((words) => make("th", "", words, { scope: "col" })));
    table.append(head);
  }
  table.append(...rowsOf(net, part.values, all));
  const mine = new Set(part.layers);
  const outside = (of) => [...new Set(part.layers.flatMap((layer) => of[layer]))].filter((layer) => !mine.has(layer));
  const returned = net.outputs.some((layer) => mine.has(layer)) ? ["output "] : [];
  table.append(listed("Reads", net, outside(net.reads)), listed("Read by", net, outside(net.readers), returned));
  fillDetails(part.name, nets.length > 1 ? `${net.name}: ${aboutOf(part)}` : aboutOf(part), table);
};

const tellWhole = (net) => {
  const table = make("table");
  table.append(...rowsOf(net, net.rows[net.row], null));
  fillDetails(net.name, net.title, table, net.notes.filter(Boolean));
};

const fillDetails = (name, about, table, notes = []) => {
  details.querySelector("h2").textContent = name;
  details.querySelector("p").textContent = about;
  details.querySelector(".rows").replaceChildren(table, ...notes.map((note) => make("p", "note", note)));
};

const pin = (part) => {
  if (pinned && pinned.el) pinned.el.classList.remove("pinned");
  pinned = part;
  if (part) part.el.classList.add("pinned");
  details.classList.toggle("up", Boolean(part));
  tell(part);
};

const light = (part) => {
  nets.forEach((net) => net.lines.querySelectorAll(".lit").forEach((line) => line.classList.remove("lit")));
  if (!part) return;
  [...part.net.lines.children].forEach((line) => {
    if (line.ends && line.ends.some((end) => part.el.contains(end.el))) line.classList.add("lit");
  });
};

const point = (part) => { light(part); tell(part ?? pinned); };

// Search: parts whose name, op or operation has every word.
let hits = [], chosen = -1;

const plain = (words) => words.toLowerCase().replaceAll("×", "x");
const textOf = (part) => (part.text ??= plain(`${part.name} ${part.value("name")} ${part.kind} ${part.value("operation")} ${aboutOf(part)}`));

const find = () => {
  const words = plain(search.value).split(/\s+/).filter(Boolean);
  const has = (part) => words.every((word) => textOf(part).includes(word));
  hits = words.length ? nets.flatMap((net) => net.parts.filter((part) => part.level !== "conv" && has(part))) : [];
  chosen = -1;
  $("count").textContent = words.length ? `${hits.length} found` : "";
  results.replaceChildren(...hits.slice(0, 200).map((part, at) => {
    const item = make("li", "", "", { role: "option", id: `hit-${at}`, "aria-selected": "false" });
    const where = nets.length > 1 ? ` · ${part.net.name}` : "";
    item.append(make("b", "", part.name), make("span", "", ` ${aboutOf(part)}${where}`));
    item.addEventListener("mousedown", (event) => {
      event.preventDefault();
      goTo(part);
      if (touched.matches) closeResults();
    });
    return item;
  }));
  results.hidden = !hits.length;
  search.setAttribute("aria-expanded", String(!results.hidden));
  search.removeAttribute("aria-activedescendant");
  markHits();
};

const closeResults = () => {
  results.hidden = true;
  search.setAttribute("aria-expanded", "false");
};

const markHits = () => {
  nets.forEach((net) => net.el.querySelectorAll(".hit").forEach((el) => el.classList.remove("hit")));
  hits.forEach((part) => {
    if (part.shown) part.shown.el.classList.add("hit");
  });
};

const choose = (step) => {
  const shown = results.children;
  if (!shown.length) return;
  chosen = (chosen + step + shown.length) % shown.length;
  [...shown].forEach((item, at) => item.setAttribute("aria-selected", String(at === chosen)));
  shown[chosen].scrollIntoView({ block: "nearest" });
  search.setAttribute("aria-activedescendant", `hit-${chosen}`);
};

search.addEventListener("input", find);
search.addEventListener("focus", () => { if (hits.length) find(); });
search.addEventListener("blur", closeResults);
search.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) { event.preventDefault(); choose(step); }
  if (event.key === "Enter" && hits.length) { event.preventDefault(); goTo(hits[Math.max(chosen, 0)]); }
});
