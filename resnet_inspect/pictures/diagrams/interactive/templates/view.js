// What a reader does: zoom, move, fold, search, read a row; by mouse, touch and keyboard.

const $ = (id) => document.getElementById(id);
const [pane, sheet, details, search, results, help] = ["pane", "sheet", "details", "search", "results", "help"].map($);
const touched = window.matchMedia("(hover: none)");
let zoom = 1;
let current = null; // the part that the keyboard is at
let pinned = null; // the part whose row stays

const clamp = (value) => Math.min(3, Math.max(0.05, value));

// What is at x, y of the pane stays there.
const setZoom = (to, x = pane.clientWidth / 2, y = pane.clientHeight / 2) => {
  const [across, down] = [(pane.scrollLeft + x - sheet.offsetLeft) / zoom, (pane.scrollTop + y - sheet.offsetTop) / zoom];
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

// Draw anew what folded or unfolded; what was at hand keeps its place and the focus.
const redraw = (at = null) => {
  const before = at && at.el && at.el.isConnected ? at.el.getBoundingClientRect() : null;
  const had = document.activeElement && document.activeElement.holds;
  nets.forEach(drawNetwork);
  nets.forEach(drawEdges);
  sized();
  paint();
  markHits();
  const keep = [at, had, current].find((part) => part && part.el.isConnected) ?? nets[0].stages[0];
  setCurrent(keep, Boolean(had));
  if (before && at.el.isConnected) {
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
  const bottom = below.top > outer.top + 80 && below.left < box.right ? Math.min(outer.bottom, below.top) : outer.bottom;
  if (box.top < outer.top + 8 || box.bottom > bottom - 8) pane.scrollBy({ top: (box.top + box.bottom - outer.top - bottom) / 2, behavior: "instant" });
  if (box.left < outer.left + 8 || box.right > outer.right - 8) pane.scrollBy({ left: (box.left + box.right - outer.left - outer.right) / 2, behavior: "instant" });
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
    if (other) row.append(make("td", "", ["count", "bytes", "share", "ratio"].includes(kind) ? show(other[at], kind) : ""));
    return [row];
  });

const tell = (part) => {
  if (!part) return tellWhole(nets[0]);
  const { net, run } = part;
  const all = run && run.count > 1 && run.rolled && run.each === 1 ? net.rows[run.row] : null;
  const table = make("table");
  const head = make("tr");
  if (all) {
    head.append(make("td"), make("th", "", "this one", { scope: "col" }), make("th", "", `all ${run.count}`, { scope: "col" }));
    table.append(head);
  }
  table.append(...rowsOf(net, part.values, all));
  const mine = new Set(part.layers);
  const outside = (of) => [...new Set(part.layers.flatMap((layer) => of[layer]))].filter((layer) => !mine.has(layer));
  table.append(listed("Reads", net, outside(net.reads)), listed("Read by", net, outside(net.readers), net.outputs.some((layer) => mine.has(layer)) ? ["output "] : []));
  const about = part.main === null ? part.kind : wordsOf(part).filter(Boolean).join(" ");
  fillDetails(part.name, nets.length > 1 ? `${net.name}: ${about}` : about, table);
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

const textOf = (part) => (part.text ??= `${part.name} ${part.kind} ${part.value("operation")} ${part.main === null ? "" : wordsOf(part).join(" ")}`.toLowerCase());

const find = () => {
  const words = search.value.toLowerCase().replaceAll("×", "x").split(/\s+/).filter(Boolean);
  const has = (part) => words.every((word) => textOf(part).replaceAll("×", "x").includes(word));
  hits = words.length ? nets.flatMap((net) => net.parts.filter((part) => part.level !== "conv" && has(part))) : [];
  chosen = -1;
  $("count").textContent = words.length ? `${hits.length} found` : "";
  results.replaceChildren(...hits.slice(0, 200).map((part, at) => {
    const item = make("li", "", "", { role: "option", id: `hit-${at}`, "aria-selected": "false" });
    item.append(make("b", "", part.name), make("span", "", ` ${part.main === null ? part.kind : wordsOf(part).filter(Boolean).join(" ")}${nets.length > 1 ? ` · ${part.net.name}` : ""}`));
    item.addEventListener("mousedown", (event) => { event.preventDefault(); goTo(part); if (touched.matches) closeResults(); });
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

// What is drawn for a hit: itself, or what it is folded into.
const markHits = () => {
  nets.forEach((net) => net.el.querySelectorAll(".hit").forEach((el) => el.classList.remove("hit")));
  hits.forEach((part) => {
    let at = part;
    while (at && !(at.el && at.el.isConnected)) at = at.parent;
    if (at) at.el.classList.add("hit");
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

// The pointer.
const partAt = (event) => event.target.closest && event.target.closest(".part")?.holds;

let at = "";
pane.addEventListener("pointerover", (event) => {
  const place = `${event.clientX} ${event.clientY}`;
  if (event.pointerType === "touch" || place === at) return; // what scrolls below it is not pointed at
  at = place;
  point(partAt(event) ?? null);
});
pane.addEventListener("pointerleave", () => point(null));
pane.addEventListener("focusin", (event) => {
  const part = event.target.holds;
  if (part) { light(part); tell(part); intoSight(part); }
});

let dragged = false;
pane.addEventListener("click", (event) => {
  if (dragged) return;
  const badge = event.target.closest(".badge");
  if (badge) return roll(badge.run);
  const about = event.target.closest(".about");
  if (about) { pin(null); details.classList.add("up"); return tellWhole(about.net); }
  const part = partAt(event);
  if (!part) return pin(null);
  const again = touched.matches ? pinned === part : event.detail === 2;
  setCurrent(part);
  pin(part);
  if (part.folds && (again || event.target.closest(".toggle, .bar"))) toggle(part);
});

// Drag with the mouse to move; fingers move by themselves.
pane.addEventListener("pointerdown", (event) => {
  if (event.pointerType !== "mouse" || event.button) return;
  const start = { x: event.clientX + pane.scrollLeft, y: event.clientY + pane.scrollTop };
  dragged = false;
  const move = (now) => {
    const [left, top] = [start.x - now.clientX, start.y - now.clientY];
    if (!dragged && Math.hypot(left - pane.scrollLeft, top - pane.scrollTop) < 5) return;
    dragged = true;
    pane.classList.add("dragged");
    pane.scrollTo({ left, top, behavior: "instant" });
  };
  const stop = () => {
    document.removeEventListener("pointermove", move);
    pane.classList.remove("dragged");
    setTimeout(() => { dragged = false; });
  };
  document.addEventListener("pointermove", move);
  document.addEventListener("pointerup", stop, { once: true });
});

// Ctrl and the wheel, or two fingers on a pad, zoom where they point.
pane.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  const outer = pane.getBoundingClientRect();
  const step = event.deltaMode ? event.deltaY * 16 : event.deltaY;
  setZoom(zoom * Math.exp(-step / 300), event.clientX - outer.left, event.clientY - outer.top);
}, { passive: false });

let pinch = null;
pane.addEventListener("touchmove", (event) => {
  if (event.touches.length !== 2) { pinch = null; return; }
  event.preventDefault();
  const [one, two] = event.touches, outer = pane.getBoundingClientRect();
  const apart = Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY);
  pinch ??= { apart, zoom };
  setZoom(pinch.zoom * apart / pinch.apart, (one.clientX + two.clientX) / 2 - outer.left, (one.clientY + two.clientY) / 2 - outer.top);
}, { passive: false });
pane.addEventListener("touchend", () => { pinch = null; });

// The keyboard.
const step = (by) => {
  const seen = [...pane.querySelectorAll(".part")];
  const next = seen[seen.indexOf(current.el) + by];
  if (next) setCurrent(next.holds);
};

const level = (to) => {
  nets.forEach((net) => net.setLevel(to));
  document.querySelectorAll("#levels button").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.level === to)));
  redraw(current);
  const wide = (pane.clientWidth - 24) / sheet.firstElementChild.offsetWidth;
  if (wide < zoom) setZoom(Math.max(wide, 0.5));
};

const KEYS = {
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  ArrowRight: () => (current.folds && !current.open ? toggle(current) : step(1)),
  ArrowLeft: () => (current.open ? toggle(current) : current.parent && setCurrent(current.parent)),
  Home: () => setCurrent(nets[0].stages[0]),
  End: () => setCurrent([...pane.querySelectorAll(".part")].at(-1).holds),
  Enter: () => toggle(current),
  " ": () => toggle(current),
  r: () => current.run && current.run.count > 1 && roll(current.run),
  "/": () => { search.focus(); search.select(); },
  "+": () => setZoom(zoom * 1.25),
  "=": () => setZoom(zoom * 1.25),
  "-": () => setZoom(zoom / 1.25),
  0: () => fit(),
  "?": () => help.showModal(),
};
LEVELS.forEach((name, at) => { KEYS[at + 1] = () => level(name); });

const escape = () => {
  if (search.value) { search.value = ""; find(); }
  if (document.activeElement === search) setCurrent(current);
  pin(null);
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (event.key === "Escape") return escape();
  const inTree = event.target === document.body || event.target.closest("#pane");
  const moves = ["Enter", " ", "Home", "End"].includes(event.key) || event.key.startsWith("Arrow");
  if (event.target.matches("input, select, textarea") || (moves && !inTree)) return;
  if (moves && event.target.closest("button")) return;
  if (!KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});

// Colours and paper.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const setTheme = (name) => {
  document.documentElement.dataset.theme = name;
  $("theme").setAttribute("aria-pressed", String(isDark()));
  paint();
};
const isDark = () => (document.documentElement.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
dark.addEventListener("change", () => setTheme(document.documentElement.dataset.theme));

const PAPER = { width: 700, height: 980 }; // pixels of a page between its margins
window.addEventListener("beforeprint", () => {
  const inner = sheet.firstElementChild;
  document.documentElement.dataset.print = "";
  inner.style.transform = "none";
  const whole = PAPER.height / inner.offsetHeight; // on one page, where it can still be read
  inner.style.zoom = Math.min(1, PAPER.width / inner.offsetWidth, whole > 0.55 ? whole : 1);
  sheet.style.width = sheet.style.height = "auto";
  paint();
});
window.addEventListener("afterprint", () => {
  delete document.documentElement.dataset.print;
  sheet.firstElementChild.style.zoom = "";
  sized();
  paint();
});

const onClick = { in: () => setZoom(zoom * 1.25), out: () => setZoom(zoom / 1.25), fit: () => fit(), ask: () => help.showModal(),
  theme: () => setTheme(isDark() ? "light" : "dark"), print: () => window.print(), close: () => { pin(null); } };
Object.entries(onClick).forEach(([id, action]) => $(id).addEventListener("click", action));
document.querySelectorAll("#levels button").forEach((button) => button.addEventListener("click", () => level(button.dataset.level)));
heat.addEventListener("change", paint);
window.addEventListener("resize", () => nets.forEach(drawEdges));

document.documentElement.dataset.theme = page.theme;
fillHeats();
sheet.firstElementChild.replaceChildren(...nets.map((net) => { drawNetwork(net); return net.el; }));
nets.forEach((net) => net.runs.forEach((run) => { run.rolled = !page.expand; }));
current = nets[0].stages[0];
level(LEVELS[page.level]);
fit(false);
setTheme(page.theme);
pin(null);
