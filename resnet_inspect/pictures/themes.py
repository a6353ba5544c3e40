"""Colours of diagrams and plots, by theme."""

from __future__ import annotations

from dataclasses import dataclass

from resnet_inspect.errors import unknown


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours as #rrggbb.

    line: the main path; shortcut, gate: what runs beside it. stages: from the first to the last, in
    calm steps of one hue; fills: of ops; quiet: of stem, head and input. ramp: from none to most in
    a heat map. tint: how much of a stage's fill shows through behind its boxes, from 0 to 1.
    changes: of what was added, removed or changed. grid, band: a plot's lines and its shaded
    stripes; series: for lines, bars and markers, told apart by hue and lightness. Paper has three
    greys that can be told apart, so `print` has each twice; dash, marker and hatch separate those
    (plots/plot.py).
    """

    name: str
    page: str
    ink: str
    muted: str
    line: str
    shortcut: str
    gate: str
    stages: tuple[str, ...]
    fills: tuple[str, ...]
    quiet: str
    ramp: tuple[str, ...]
    tint: float
    changes: dict[str, str]
    grid: str
    band: str
    series: tuple[str, ...]


THEMES: dict[str, Theme] = {
    theme.name: theme
    for theme in (
        Theme(
            name="light",
            page="#ffffff",
            ink="#1a1d21",
            muted="#59626c",
            line="#434a54",
            shortcut="#c8400a",
            gate="#7a4fb0",
            stages=("#cfe6df", "#67ad9b"),
            fills=("#77aadd", "#eedd88", "#66c2a4", "#ffb3c1", "#99ddff", "#bbcc33", "#ee8866"),
            quiet="#e4e7eb",
            ramp=("#f4f8fc", "#cfe1f2", "#93c4de", "#4a97c9", "#1864aa", "#08306b"),
            tint=0.16,
            changes={"added": "#66c2a4", "removed": "#ee8866", "changed": "#eedd88"},
            grid="#dfe3e8",
            band="#f2f4f7",
            series=("#0072b2", "#d55e00", "#183f32", "#b2708b", "#5b1bbb", "#4c3f0b"),
        ),
        Theme(
            name="dark",
            page="#12161c",
            ink="#eef1f5",
            muted="#a3adb9",
            line="#b4bdc9",
            shortcut="#ff9d5c",
            gate="#c4a2f5",
            stages=("#1d423d", "#2f766b"),
            fills=("#1f5599", "#7d6114", "#2c806b", "#c03450", "#386e89", "#5d780f", "#8a4420"),
            quiet="#2d343e",
            ramp=("#1d2430", "#23406b", "#1f6a8f", "#2c9b91", "#7ccb6b", "#f2e661"),
            tint=0.22,
            changes={"added": "#2c806b", "removed": "#a8442a", "changed": "#7d6114"},
            grid="#303842",
            band="#1a2029",
            series=("#56b4e9", "#ff8c42", "#c3f0b4", "#c33cff", "#ffe100", "#878778"),
        ),
        Theme(
            name="print",
            page="#ffffff",
            ink="#000000",
            muted="#3d3d3d",
            line="#222222",
            shortcut="#000000",
            gate="#555555",
            stages=("#f2f2f2", "#b3b3b3"),
            fills=("#f2f2f2", "#dcdcdc", "#c6c6c6", "#b3b3b3", "#e8e8e8", "#d1d1d1", "#bdbdbd"),
            quiet="#ffffff",
            ramp=("#ffffff", "#dedede", "#bababa", "#8f8f8f", "#5a5a5a", "#1c1c1c"),
            tint=0.0,
            changes={"added": "#8f8f8f", "removed": "#5a5a5a", "changed": "#c6c6c6"},
            grid="#d9d9d9",
            band="#f2f2f2",
            series=("#000000", "#929292", "#484848") * 2,
        ),
    )
}


def theme_named(name: str) -> Theme:
    """The theme of this name; raises UnknownNameError."""
    if name not in THEMES:
        raise unknown("theme", name, THEMES)
    return THEMES[name]


def mix(first: str, second: str, share: float) -> str:
    """The colour that lies `share` of the way from the first to the second."""
    pairs = zip(_channels(first), _channels(second), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def on_ramp(ramp: tuple[str, ...], share: float) -> str:
    """The colour at `share` (0 to 1) of a ramp's length."""
    at = min(max(share, 0.0), 1.0) * (len(ramp) - 1)
    below = min(int(at), len(ramp) - 2)
    return mix(ramp[below], ramp[below + 1], at - below)


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.1)."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def text_on(fill: str) -> str:
    """Black or white, whichever reads better on a fill."""
    return max("#000000", "#ffffff", key=lambda ink: contrast(ink, fill))


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1, section 'relative luminance')."""
    parts = [channel / 255 for channel in _channels(colour)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
