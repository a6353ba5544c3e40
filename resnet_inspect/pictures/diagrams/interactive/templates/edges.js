// Edges between boxes where they stand: straight or bent, through the column of a shortcut, or in a
// lane at the side where something stands in the way.

const LANE = 8;
const MOST_LANES = 14;

const svg = (tag, attributes) => {
  const made = document.createElementNS(NS, tag);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
};
const path = (way, d, more = {}) => svg("path", { class: `edge ${way}`, d, ...more });
const circle = (name, cx, cy, r) => svg("circle", { class: `edge ${name}`, cx, cy, r });

// A rectangle of an element in the coordinates of its network's drawing.
const ruler = (net) => {
  const outer = net.el.getBoundingClientRect();
  const scale = outer.width / net.el.offsetWidth || 1;
  return (element) => {
    const r = element.getBoundingClientRect();
    const [left, top] = [(r.left - outer.left) / scale, (r.top - outer.top) / scale];
    const [right, bottom] = [left + r.width / scale, top + r.height / scale];
    return { left, top, right, bottom, x: (left + right) / 2, y: (top + bottom) / 2 };
  };
};

// Boxes by where they stand, so that an edge looks only at those near it.
const BAND = 400;

class Boxes {
  constructor(boxes) {
    this.bands = new Map();
    boxes.forEach((box) => {
      for (let at = Math.floor(box.top / BAND); at <= Math.floor(box.bottom / BAND); at += 1) {
        this.bands.set(at, [...(this.bands.get(at) ?? []), box]);
      }
    });
  }

  // Those that overlap a rectangle, but for the ends of an edge.
  within(left, top, right, bottom, { from, to }) {
    const found = new Set();
    for (let at = Math.floor(top / BAND); at <= Math.floor(bottom / BAND); at += 1) {
      (this.bands.get(at) ?? []).forEach((box) => {
        if (box.left < right && box.right > left && box.top < bottom && box.bottom > top) found.add(box);
      });
    }
    found.delete(from);
    found.delete(to);
    return [...found];
  }

  isFree(...of) { return !this.within(...of).length; }
}

// Where an edge ends: above the middle of its head, or straight below its tail where it can.
const target = ({ from, to, joins }) => {
  if (from.x >= to.left + 6 && from.x <= to.right - 6) return from.x;
  return joins ? Math.min(Math.max(from.x, to.left + 10), to.right - 10) : to.x;
};

// An edge that only goes down: along its own columns, and across in the gap between these.
const isClear = (edge, boxes) => {
  const { from, to, exit, entry } = edge;
  const [x1, x2] = [from.x, target(edge)];
  if (to.top < from.bottom + 2 || entry < exit) return false;
  if (!boxes.isFree(x1 - 2, from.bottom, x1 + 2, exit, edge)) return false;
  if (!boxes.isFree(x2 - 2, entry, x2 + 2, to.top, edge)) return false;
  return boxes.isFree(Math.min(x1, x2), exit, Math.max(x1, x2) + 1, entry, edge);
};

const straight = (edge) => {
  const { from, to, exit } = edge;
  const [x1, x2, end] = [from.x, target(edge), to.top - 5];
  if (Math.abs(x1 - x2) < 1) return `M${x2} ${from.bottom}V${end}`;
  const entry = Math.min(edge.entry, end), half = (entry - exit) / 2;
  if (Math.abs(x1 - x2) > 2 * (entry - exit)) {
    const [level, round] = [exit + half, Math.min(12, half)], toward = Math.sign(x2 - x1);
    return `M${x1} ${from.bottom}V${level - round}Q${x1} ${level} ${x1 + toward * round} ${level}H${x2 - toward * round}`
      + `Q${x2} ${level} ${x2} ${level + round}V${end}`;
  }
  return `M${x1} ${from.bottom}V${exit}C${x1} ${exit + half} ${x2} ${entry - half} ${x2} ${entry}V${end}`;
};

// Down the empty column of a shortcut, into the side of the sum.
const alongWire = ({ from, wire, to }) => {
  if (Math.abs(wire.x - to.x) < 4) return `M${from.x} ${from.bottom}V${to.top - 5}`;
  const turn = Math.max(from.bottom + 4, wire.top - 12), round = Math.min(26, (to.y - turn) / 2);
  const toward = wire.x > to.x ? 1 : -1;
  const side = toward > 0 ? to.right + 5 : to.left - 5;
  return `M${from.x} ${from.bottom}V${turn - 4}Q${from.x} ${turn} ${from.x + 4 * toward} ${turn}H${wire.x - round * toward}`
    + `Q${wire.x} ${turn} ${wire.x} ${turn + round}V${to.y - round}Q${wire.x} ${to.y} ${wire.x - round * toward} ${to.y}H${side}`;
};

// Down a column of its own, then into the side of the sum.
const goesDown = (edge, boxes) => {
  const { from, to } = edge;
  return to.y - from.bottom > 12 && (from.x > to.right + 12 || from.x < to.left - 12)
    && boxes.isFree(from.x - 2, from.bottom, from.x + 2, to.y, edge)
    && boxes.isFree(Math.min(from.x, to.right), to.y - 2, Math.max(from.x, to.left), to.y + 2, edge);
};

const downInto = ({ from, to }) => {
  const [side, toward] = from.x > to.x ? [to.right + 5, -1] : [to.left - 5, 1];
  const round = Math.min(26, to.y - from.bottom, Math.abs(from.x - side));
  return `M${from.x} ${from.bottom}V${to.y - round}Q${from.x} ${to.y} ${from.x + toward * round} ${to.y}H${side}`;
};

// Along a lane: out of the side and into it, or below and above a row of boxes.
const inLane = ({ from, to, lane, outSide, inSide }) => {
  const [y1, y2] = [outSide ? from.y : from.bottom + 9, inSide ? to.y : to.top - 13];
  const side = to.right + 5;
  const round = Math.max(2, Math.min(18, lane - from.right, lane - side, Math.abs(y2 - y1) / 2));
  const out = outSide ? `M${from.right} ${y1}` : `M${from.x} ${from.bottom}V${y1 - 5}Q${from.x} ${y1} ${from.x + 5} ${y1}`;
  const into = inSide ? `H${side}` : `H${to.x + 5}Q${to.x} ${y2} ${to.x} ${y2 + 5}V${to.top - 5}`;
  return `${out}H${lane - round}Q${lane} ${y1} ${lane} ${y1 + round}V${y2 - round}Q${lane} ${y2} ${lane - round} ${y2}${into}`;
};

// What enters a block more than once enters on one line, and forks inside the block's frame.
const fork = (edges, rect, boxes) => {
  const entering = new Map();
  edges.forEach((edge) => {
    const frame = edge.head.el.closest(".unit.open");
    if (!frame || frame.contains(edge.tail.el)) return;
    const key = `${edge.tail.id} ${frame.holds.id}`;
    entering.set(key, [...(entering.get(key) ?? []), edge]);
  });
  return [...entering.values()].flatMap((together) => {
    const { from, head } = together[0];
    const y = rect(head.el.closest(".unit.open").holds.head).bottom + 2;
    const isOpen = boxes.isFree(from.x - 2, from.bottom, from.x + 2, y, together[0]);
    if (together.length < 2 || together.some(({ to }) => to.top < y) || from.bottom > y || !isOpen) return [];
    const at = { left: from.x, right: from.x, x: from.x, top: y, bottom: y, y };
    together.forEach((edge) => Object.assign(edge, { from: at, exit: y }));
    const beside = together.find(({ way }) => way && way !== "gate");
    return [{ from, at, kind: beside ? "dot" : "dot main", tail: together[0].tail, head }];
  });
};

// The first wire that is left of the columns just above a sum.
const wireFor = (edge, taken) => {
  let above = edge.head.el.previousElementSibling;
  while (above && above.classList.contains("sign")) above = above.previousElementSibling;
  if (!above || !above.item || above.contains(edge.tail.el)) return null;
  const wire = above.item.wires.find((each) => !taken.has(each));
  if (wire) taken.add(wire);
  return wire ?? null;
};

// The outermost columns that hold one end of an edge and not the other.
const columnsOf = (el, other) => {
  let found = null;
  const next = (at) => at && at.closest(".parallel");
  for (let at = next(el); at && !at.contains(other); at = next(at.parentElement)) found = at;
  return found;
};

// Lanes for what cannot go straight: the shorter inside the longer.
const inLanes = (edges) => {
  const placed = [];
  [...edges].sort((a, b) => (a.to.y - a.from.y) - (b.to.y - b.from.y)).forEach((edge) => {
    const beside = placed.filter((other) => other.from.y < edge.to.y && other.to.y > edge.from.y);
    const used = new Set(beside.map((other) => other.number));
    edge.number = 0;
    while (used.has(edge.number) && edge.number < MOST_LANES - 1) edge.number += 1;
    placed.push(edge);
  });
};

// The innermost frame around both ends of an edge.
const roomOf = (edge) => {
  let at = edge.tail.el.closest(".kids");
  while (!at.contains(edge.head.el)) at = at.parentElement.closest(".kids");
  return at;
};

const route = (net) => {
  const rect = ruler(net);
  const known = new Map();
  const box = (part) => known.get(part) ?? known.set(part, rect(part.head)).get(part);
  const drawn = net.parts.filter((part) => !part.open && part.drawn);
  const boxes = new Boxes(drawn.map(box));
  const edges = net.visibleEdges();
  const heads = new Map();
  edges.forEach((edge) => {
    heads.set(edge.head, (heads.get(edge.head) ?? 0) + 1);
    const [leaving, entering] = [columnsOf(edge.tail.el, edge.head.el), columnsOf(edge.head.el, edge.tail.el)];
    const [from, to] = [box(edge.tail), box(edge.head)];
    const exit = leaving ? rect(leaving).bottom : from.bottom;
    Object.assign(edge, { from, to, exit, entry: entering ? rect(entering).top - 5 : to.top - 5 });
  });
  const forks = fork(edges, rect, boxes);
  const taken = new Set();
  edges.forEach((edge) => {
    const sums = edge.head.el.classList.contains("sign");
    edge.joins = heads.get(edge.head) > 1 && !sums;
    const wire = sums && wireFor(edge, taken);
    const place = wire && rect(wire);
    const reaches = place && edge.from.bottom <= place.top
      && boxes.isFree(edge.from.x - 2, edge.from.bottom, edge.from.x + 2, place.top - 12, edge);
    edge.kind = reaches ? "wire" : sums && goesDown(edge, boxes) ? "down" : isClear(edge, boxes) ? "straight" : "lane";
    edge.wire = place;
  });
  const aside = edges.filter((edge) => edge.kind === "lane");
  inLanes(aside);
  return { edges, forks, aside, drawn, boxes, box };
};

const DRAWN = { wire: alongWire, down: downInto, straight, lane: inLane };

// Make room for lanes where edges need them, then draw.
const drawEdges = (net) => {
  net.el.querySelectorAll(".kids").forEach((kids) => kids.style.removeProperty("--lanes"));
  const rooms = new Map();
  const first = route(net);
  first.aside.forEach((edge) => {
    const room = roomOf(edge);
    rooms.set(room, Math.max(rooms.get(room) ?? 0, edge.number + 1));
  });
  rooms.forEach((lanes, room) => room.style.setProperty("--lanes", lanes));
  const { edges, forks, aside, drawn, boxes, box } = rooms.size ? route(net) : first;
  aside.forEach((edge) => {
    const room = roomOf(edge);
    const passed = drawn.filter((part) => room.contains(part.el)).map(box)
      .filter((each) => each.bottom > edge.from.top && each.top < edge.to.bottom);
    const right = Math.max(...[...passed, edge.from, edge.to].map((each) => each.right));
    edge.lane = right + 22 + LANE * edge.number;
    const { from, to, lane } = edge;
    edge.outSide = boxes.isFree(from.right, from.y - 2, lane, from.y + 2, edge);
    edge.inSide = boxes.isFree(to.right, to.y - 2, lane, to.y + 2, edge);
  });
  const lines = edges.map((edge) => {
    const arrow = edge.way && edge.way !== "gate" ? "shortcut" : edge.way || "main";
    const way = edge.way || (edge.kind === "lane" ? "skip" : "main");
    const line = path(way, DRAWN[edge.kind](edge), { "marker-end": `url(#arrow-${arrow})` });
    line.ends = [edge.tail, edge.head];
    return line;
  });
  forks.forEach(({ from, at, kind, tail, head }) => {
    const stem = path("main", `M${from.x} ${from.bottom}V${at.y}`);
    stem.ends = [tail, head];
    lines.push(stem, circle(kind, at.x, at.y, 2.6));
  });
  const looped = drawn.filter((part) => part.el.classList.contains("looped"));
  looped.forEach((part) => lines.push(...loops(part, box(part))));
  net.lines.replaceChildren(...lines);
};

// The shortcuts of a folded block: arcs at its side, from the line above to a sum below.
const loops = (part, box) => {
  const [top, low] = [box.top - 14, box.bottom + 11];
  const arcs = part.said.strokes.map((kind, at) => {
    const out = box.right + 18 + 8 * at;
    const bend = Math.min(46, box.right - box.x);
    return path(kind, `M${box.x} ${top}H${out - bend}C${out - 8} ${top} ${out} ${top + 10} ${out} ${top + 28}V${low - 28}`
      + `C${out} ${low - 10} ${out - 8} ${low} ${out - bend} ${low}H${box.x + 7}`);
  });
  const sum = path("sum", `M${box.x - 3.5} ${low}h7m-3.5 -3.5v7`);
  return [...arcs, circle("dot", box.x, top, 2.6), circle("ring", box.x, low, 6), sum];
};

// Networks side by side with as many stages begin each at the same height; whether any had to move.
const alignStages = () => {
  const count = nets[0].stages.length;
  if (nets.length < 2 || nets.some((net) => net.stages.length !== count)) return false;
  nets.forEach((net) => net.stages.forEach((stage) => { stage.el.style.marginTop = ""; }));
  const tops = nets.map((net) => {
    const rect = ruler(net);
    return net.stages.map((stage) => rect(stage.el).top);
  });
  const moved = nets.map(() => 0);
  for (let at = 0; at < count; at += 1) {
    const lowest = Math.max(...nets.map((_, i) => tops[i][at] + moved[i]));
    nets.forEach((net, i) => {
      const by = lowest - tops[i][at] - moved[i];
      const { el } = net.stages[at];
      if (by) el.style.marginTop = `${by + parseFloat(getComputedStyle(el).marginTop)}px`;
      moved[i] += by;
    });
  }
  return moved.some(Boolean);
};
