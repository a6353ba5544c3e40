"""A page with networks that fold and unfold: one file that asks nothing of any network.

What people call their layers stays text: it is data, shown by textContent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from resnet_inspect.errors import InspectError
from resnet_inspect.networks.graph import LayerGraph
from resnet_inspect.networks.naming import paper_names
from resnet_inspect.networks.op_labels import CATEGORIES
from resnet_inspect.pictures.diagrams.interactive.data import network
from resnet_inspect.pictures.diagrams.style import Style
from resnet_inspect.pictures.themes import THEMES, Theme
from resnet_inspect.pictures.web_page import resource, web_page

_PACKAGE = "resnet_inspect.pictures.diagrams.interactive"

_SCRIPTS = ("model.js", "draw.js", "edges.js", "colours.js", "view.js", "input.js")

_LEVELS = (("stage", "Stages"), ("unit", "Blocks"), ("conv", "Convolutions"), ("layer", "Layers"))

_KEYS = (
    (("↓", "↑"), "next, previous box"),
    (("→", "←"), "unfold, fold; into a frame, out of it"),
    (("Enter",), "fold or unfold"),
    (("r",), "list blocks that are alike one by one, or draw them once"),
    (("1", "2", "3", "4"), "boxes for stages, blocks, convolutions, layers"),
    (("/",), "search by name, op or size: 3x3 layer4"),
    (("+", "-", "0"), "zoom in, out; fit"),
    (("Home", "End"), "first, last box"),
    (("Esc",), "end the search, let go of the row"),
    (("?",), "this help"),
)


def html(graphs: Sequence[LayerGraph], style: Style) -> str:
    """The page of some networks, opened at a level.

    Colours follow the reader's settings unless the theme is 'dark'. Raises InspectError for a
    picture that runs to the right.
    """
    from markupsafe import Markup

    if not style.down:
        raise InspectError("a page runs down; leave --direction out, or draw a picture")
    before = {pair.before.name: pair.change for pair in style.pairs if pair.before}
    after = {pair.after.name: pair.change for pair in style.pairs if pair.after}
    marks = (before, after) if style.pairs else ({},) * len(graphs)
    data = {
        "networks": [
            network(graph, own, paper_names(graph) if style.names == "paper" else {})
            for graph, own in zip(graphs, marks, strict=True)
        ],
        "level": "unit" if style.level == "block" else style.level,
        "expand": style.expand,
        "color_by": style.color_by,
        "theme": style.theme.name if style.theme.name == "dark" else "",
        "categories": CATEGORIES,
        "stages": len(THEMES["light"].stages),
        "fills": len(THEMES["light"].fills),
        "ramp": len(THEMES["light"].ramp),
    }
    return web_page(
        _PACKAGE,
        "page.html.jinja",
        style=f"{_palette()}\n{resource(_PACKAGE, 'page.css')}",
        script="\n".join(resource(_PACKAGE, name) for name in _SCRIPTS),
        title=" and ".join(graph.name for graph in graphs),
        data=Markup(_json(data)),
        levels=_LEVELS,
        keys=_KEYS,
    )


def _json(data: object) -> str:
    """JSON that ends no script element, whatever its strings hold."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _palette() -> str:
    """The colours of both themes as variables: the reader's own, or the one that was chosen."""
    light, dark = (_variables(THEMES[name]) for name in ("light", "dark"))
    return (
        f":root{{color-scheme:light;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark)"
        f"{{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\n"
        f"@media screen{{:root[data-theme=dark]:not([data-print]){{color-scheme:dark;{dark}}}}}"
    )


def _variables(theme: Theme) -> str:
    names = ("page", "ink", "muted", "line", "shortcut", "gate", "quiet", "grid", "band")
    colours = {name: str(getattr(theme, name)) for name in names}
    colours |= {f"stage{at}": fill for at, fill in enumerate(theme.stages)}
    colours |= {f"fill{at}": fill for at, fill in enumerate(theme.fills)}
    colours |= {f"ramp{at}": colour for at, colour in enumerate(theme.ramp)}
    colours |= theme.changes
    colours |= {"ramp": ",".join(theme.ramp), "focus": theme.series[0], "hit": theme.series[1]}
    return ";".join(f"--{name}:{colour}" for name, colour in colours.items())
