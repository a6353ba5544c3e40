// The pointer, fingers, the keyboard, paper; and the start.

const partAt = (event) => event.target.closest && event.target.closest(".part")?.holds;

let lastPlace = "";
pane.addEventListener("pointerover", (event) => {
  const place = `${event.clientX} ${event.clientY}`;
  if (event.pointerType === "touch" || place === lastPlace) return; // what scrolls below it is not pointed at
  lastPlace = place;
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
  const [x, y] = [(one.clientX + two.clientX) / 2, (one.clientY + two.clientY) / 2];
  setZoom(pinch.zoom * apart / pinch.apart, x - outer.left, y - outer.top);
}, { passive: false });
pane.addEventListener("touchend", () => { pinch = null; });

// The keyboard.
const step = (by) => {
  const seen = [...pane.querySelectorAll(".part")];
  const next = seen[seen.indexOf(current.el) + by];
  if (next) setCurrent(next.holds);
};

const levels = document.querySelectorAll("#levels button");

const level = (to) => {
  nets.forEach((net) => net.setLevel(to));
  levels.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.level === to)));
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

const onClick = {
  in: () => setZoom(zoom * 1.25),
  out: () => setZoom(zoom / 1.25),
  fit: () => fit(),
  ask: () => help.showModal(),
  theme: () => setTheme(isDark() ? "light" : "dark"),
  print: () => window.print(),
  close: () => pin(null),
};
Object.entries(onClick).forEach(([id, action]) => $(id).addEventListener("click", action));
levels.forEach((button) => button.addEventListener("click", () => level(button.dataset.level)));
heat.addEventListener("change", paint);
window.addEventListener("resize", drawLines);

document.documentElement.dataset.theme = page.theme;
fillHeats();
sheet.firstElementChild.replaceChildren(...nets.map((net) => { drawNetwork(net); return net.el; }));
current = nets[0].stages[0];
level(page.level);
fit(false);
setTheme(page.theme);
pin(null);

// An address that ends in #layer2.0.conv2 opens there.
const followAddress = () => {
  const name = location.hash.slice(1);
  const named = (part) => part.level !== "conv" && [part.name, encodeURIComponent(part.name)].includes(name);
  const part = nets.flatMap((net) => net.parts).find(named);
  if (part) goTo(part);
};
window.addEventListener("hashchange", followAddress);
followAddress();
