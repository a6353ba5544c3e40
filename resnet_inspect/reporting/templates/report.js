"use strict";
// The page reads well without this; with it, tables sort, filter and fold, and boxes of a diagram
// light up together with their rows.
(() => {
  const all = (root, selector) => Array.from(root.querySelectorAll(selector));

  const button = (label, action) => {
    const made = document.createElement("button");
    made.type = "button";
    made.append(...(Array.isArray(label) ? label : [label]));
    made.addEventListener("click", action);
    return made;
  };

  // A cell's value: a number where it holds one, else its text. What is unknown has none.
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.v ?? cell.textContent.trim();
    if (text === "" || text === "?") return null;
    const number = Number(text.replaceAll(",", ""));
    return Number.isNaN(number) ? text : number;
  };

  const compare = (one, other) => {
    if (typeof one === "number" && typeof other === "number") return one - other;
    return String(one).localeCompare(String(other), "en", { numeric: true });
  };

  // Sorting: by a heading's button, up, down, and back to the network's order.
  const sortable = (table) => {
    const bodies = all(table, "tbody");
    const home = bodies.map((body) => [body, Array.from(body.rows)]);
    const rows = home.flatMap(([, rows]) => rows.filter((row) => !row.className.includes("group")));
    if (rows.length < 2 || "fixed" in table.dataset) return;
    const heads = Array.from(table.tHead.rows[0].cells);
    const sorted = document.createElement("tbody");

    const sortBy = (column) => {
      const before = heads[column].getAttribute("aria-sort");
      const next = { ascending: "descending", descending: "none" }[before] ?? "ascending";
      heads.forEach((head) => head.removeAttribute("aria-sort"));
      sorted.remove();
      if (next === "none") {
        home.forEach(([body, rows]) => { body.append(...rows); body.hidden = false; });
        return;
      }
      heads[column].setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const order = rows.map((row, place) => ({ row, place, value: valueOf(row, column) }));
      order.sort((one, other) => {
        if (one.value === null || other.value === null) {
          return (one.value === null) - (other.value === null) || one.place - other.place;
        }
        return sign * compare(one.value, other.value) || one.place - other.place;
      });
      bodies.forEach((body) => { body.hidden = true; });
      sorted.append(...order.map((entry) => entry.row));
      bodies[bodies.length - 1].after(sorted);
    };

    heads.forEach((head, column) => {
      head.replaceChildren(button(head.textContent, () => sortBy(column)));
    });
  };

  // Folding: by the name of a stage, or all at once.
  const foldable = (table) => {
    const folds = all(table, "tr.group").map((row) => {
      const body = row.parentElement;
      const name = row.querySelector(".name");
      const toggle = button(name.textContent, () => set(!body.classList.contains("folded")));
      const set = (folded) => {
        body.classList.toggle("folded", folded);
        toggle.setAttribute("aria-expanded", String(!folded));
      };
      toggle.setAttribute("aria-expanded", "true");
      name.replaceChildren(toggle);
      return { body, set };
    });
    return folds;
  };

  // Filtering: rows that hold every word, whatever is folded.
  const filterable = (table, folds) => {
    const rows = all(table, "tbody > tr:not(.group)");
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const input = document.createElement("input");
    input.type = "search";
    input.placeholder = "Filter, such as 3x3 layer4";
    input.setAttribute("aria-label", `Filter the rows of ${table.caption.textContent}`);
    const count = document.createElement("output");
    const filter = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      table.classList.toggle("filtering", words.length > 0);
      let shown = 0;
      rows.forEach((row, index) => {
        row.hidden = !words.every((word) => texts[index].includes(word));
        shown += !row.hidden;
      });
      all(table, "tr.group").forEach((group) => {
        group.hidden = words.length > 0 && !all(group.parentElement, "tr:not(.group):not([hidden])").length;
      });
      count.value = words.length ? `${shown} of ${rows.length} rows` : `${rows.length} rows`;
    };
    input.addEventListener("input", filter);
    const tools = document.createElement("div");
    tools.className = "tools";
    tools.append(
      input,
      button("Fold all", () => folds.forEach((fold) => fold.set(true))),
      button("Unfold all", () => folds.forEach((fold) => fold.set(false))),
      count,
    );
    table.closest(".table").prepend(tools);
    filter();
  };

  // Boxes and rows: what is pointed at or focused lights up with its counterpart, which is
  // scrolled into its pane's sight. The page itself stays where it is.
  const linked = (section, folds) => {
    const members = all(section, "[data-box]");
    const light = (box) => {
      members.forEach((member) => member.classList.toggle("lit", member.dataset.box === box));
    };
    const reveal = (element) => {
      const pane = element.closest(".pane, .tall");
      const outer = pane.getBoundingClientRect();
      const inner = element.getBoundingClientRect();
      if (inner.top < outer.top + 60 || inner.bottom > outer.bottom) {
        pane.scrollTop += inner.top - outer.top - outer.height / 3;
      }
    };
    // While the page moves under a pointer that rests, what was clicked stays lit.
    let resting = null;
    const rests = (event) => {
      if (event.clientX !== resting?.x || event.clientY !== resting?.y) resting = null;
      return resting !== null;
    };
    const point = (event) => {
      if (rests(event)) return;
      const member = event.target.closest("[data-box]");
      if (!member) return light(null);
      const box = member.dataset.box;
      light(box);
      const other = members.find((candidate) =>
        candidate.dataset.box === box && (candidate.tagName === "TR") !== (member.tagName === "TR"));
      if (other && other.getClientRects().length) reveal(other);
    };
    section.addEventListener("mouseover", point);
    section.addEventListener("focusin", point);
    section.addEventListener("mousemove", (event) => { if (resting) point(event); });
    section.addEventListener("mouseleave", (event) => { if (!rests(event)) light(null); });
    // Of the rows' links one is in the order of tabs; arrows lead from row to row.
    const links = all(section, "tbody th a");
    links.slice(1).forEach((link) => { link.tabIndex = -1; });
    section.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step || !links.includes(event.target)) return;
      const seen = all(section, "tbody th a").filter((link) => link.getClientRects().length);
      const next = seen[seen.indexOf(event.target) + step];
      event.preventDefault();
      if (!next) return;
      links.forEach((link) => { link.tabIndex = link === next ? 0 : -1; });
      next.focus();
    });
    // A box leads to its first row, which may lie in a fold.
    section.addEventListener("click", (event) => {
      const node = event.target.closest("g[data-box]");
      if (!node) return;
      light(node.dataset.box);
      resting = { x: event.clientX, y: event.clientY };
      const row = members.find((member) => member.tagName === "TR" && member.dataset.box === node.dataset.box);
      const fold = folds.find((candidate) => candidate.body.contains(row));
      if (fold) fold.set(false);
    });
  };

  // A table that is wider than its place says so, and fades at the side where it goes on.
  const wide = (place) => {
    const look = () => {
      const hidden = place.scrollWidth - place.clientWidth;
      place.classList.toggle("wide", hidden > 1);
      place.classList.toggle("more", hidden - place.scrollLeft > 1);
    };
    place.addEventListener("scroll", look, { passive: true });
    new ResizeObserver(look).observe(place);
    look();
  };

  all(document, "table").forEach((table) => {
    sortable(table);
    wide(table.parentElement);
    const folds = foldable(table);
    const network = table.closest(".network");
    if (!folds.length || !network) return;
    filterable(table, folds);
    linked(network, folds);
  });
})();
