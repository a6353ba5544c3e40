"""Plots of measurements: which there are, and what they show."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace
from recorded import CASE, latency, out_of_memory

import resnet_inspect as ri
from resnet_inspect.measuring.measurement import Device
from resnet_inspect.measuring.records import Case
from resnet_inspect.pictures.plots.measurements import measurement_plots
from resnet_inspect.pictures.themes import THEMES
from resnet_inspect.tables.columns import show

LADDER = Path(__file__).parents[2] / "reports" / "latency" / "cpu" / "ladder.jsonl"


def test_plots_of_measurements_are_the_same_bytes_every_time() -> None:
    records = [
        latency(replace(CASE, model=model, batch=batch))
        for model in ("resnet20_cifar", "resnet32_cifar")
        for batch in (1, 8)
    ]
    plots = measurement_plots([*records, out_of_memory()])
    assert [plot.name for plot in plots] == ["batch", "throughput"]
    for plot in plots:
        svg = plot.to_svg()
        assert svg == plot.to_svg()
        assert "resnet32_cifar" in svg


def test_a_ladder_and_its_table_show_the_same_numbers() -> None:
    from matplotlib.figure import Figure

    measured = ri.read_bench(LADDER)
    rows = measured.table().records()
    (made,) = measured.plots()
    figure = Figure(figsize=made.size)
    made.paint(figure, THEMES["light"])
    (axes,) = figure.axes
    (words,) = axes.child_axes
    said = [[tick.get_text() for tick in one.get_yticklabels()] for one in (axes, words)]
    assert said == [
        [row["step"] for row in rows],
        [
            ", ".join(
                [show(row["median"], "seconds")]
                + ([f"{show(row['gain'], 'ratio')} ×"] if row.get("gain") else [])
                + ([] if row["kept"] else ["not kept"])
            )
            for row in rows
        ],
    ]
    # Points stand at the medians, and none is cut off.
    marked = [line for line in axes.lines if line.get_marker() in ("o", "s")]
    assert [line.get_xdata()[0] for line in marked] == [row["median"] for row in rows]
    assert [line.get_ydata()[0] for line in marked] == list(range(len(rows)))
    low, high = axes.get_xlim()
    assert all(low < row["median"] < high for row in rows)


def test_committed_plots_are_those_of_their_records() -> None:
    for record in ("ladder", "latency", "layers"):
        for made in ri.read_bench(LADDER.with_stem(record)).plots():
            committed = LADDER.with_name(f"{made.file_name}.svg")
            assert committed.read_text("utf-8") == made.to_svg(), made.name


def test_what_varies_most_is_compared_within_a_plot() -> None:
    records = [
        latency(Case(model, (3, 32, 32), batch, dtype, "nhwc", mode))
        for model in ("resnet20_cifar", "resnet32_cifar")
        for batch in (1, 8)
        for dtype in ("fp32", "bf16")
        for mode in ("eager", "compile", "cudagraph")
    ]
    plots = {plot.name: plot for plot in measurement_plots(records)}
    assert list(plots) == [
        "batch-nhwc",
        "throughput-nhwc",
        "batch-bf16-nhwc",
        "throughput-bf16-nhwc",
    ]
    for name, plot in plots.items():
        svg = plot.to_svg()
        for shown in ("cudagraph", "resnet32_cifar", "bf16" if "bf16" in name else "fp32"):
            assert f">{shown}" in svg or f"{shown}," in svg
    by_batch = plots["batch-nhwc"].to_svg()
    assert [by_batch.count(f">{mode}<") for mode in ("eager", "compile", "cudagraph")] == [1, 1, 1]
    one_network = [record for record in records if record.case.model == "resnet20_cifar"]
    assert {plot.name for plot in measurement_plots(one_network)} == {
        "batch-nhwc",
        "batch-bf16-nhwc",
    }


def test_inputs_and_devices_have_plots_of_their_own() -> None:
    large, other = (3, 64, 64), Device(kind="cpu", name="another device", threads=2)
    records = [
        *(latency(replace(CASE, batch=batch)) for batch in (1, 8)),
        *(latency(replace(CASE, batch=batch, input=large)) for batch in (1, 8)),
        *(latency(replace(CASE, batch=batch), device=other) for batch in (1, 8)),
    ]
    plots = measurement_plots(records)
    assert [plot.name for plot in plots] == ["batch", "batch-2", "batch-3"]
    assert "3x64x64" in plots[1].alt
    assert "another device" in plots[2].alt


def test_uncounted_networks_are_not_in_the_throughput_plot() -> None:
    records = [
        latency(replace(CASE, model=model, batch=batch), macs=macs * batch)
        for model, macs in (("resnet20_cifar", 10**9), ("resnet32_cifar", 2 * 10**9))
        for batch in (1, 2, 4, 8, 16, 32, 64, 128)
    ]
    unknown = [
        latency(replace(CASE, model="resnet44_cifar", batch=batch), macs=0) for batch in (1, 8)
    ]
    plots = {plot.name: plot.to_svg() for plot in measurement_plots([*records, *unknown])}
    assert ">resnet32_cifar<" in plots["throughput"]
    assert ">resnet44_cifar<" not in plots["throughput"]
    assert ">resnet44_cifar<" in plots["batch"]
    assert [plot.name for plot in measurement_plots(unknown)] == ["batch"]


def test_names_overlap_neither_names_nor_points() -> None:
    """resnet34 and resnet50 lie next to each other, whatever they are measured at."""
    from matplotlib.figure import Figure

    from resnet_inspect.pictures.themes import theme_named

    macs = {"resnet18": 1_814_073_344, "resnet34": 3_663_761_408, "resnet50": 4_089_184_256}
    records = [
        latency(
            Case(model, (3, 224, 224), batch, mode=mode),
            (macs[model] * batch / rate,) * 6,
            macs=macs[model] * batch,
        )
        for model in macs
        for batch in (1, 8)
        for mode, rate in (("eager", 1e12), ("compile", 1.2e12), ("cudagraph", 1.1e12))
    ]
    plot = next(plot for plot in measurement_plots(records) if plot.name == "throughput")
    figure = Figure(figsize=plot.size, dpi=144, layout="constrained")
    plot.paint(figure, theme_named("light"))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    names = [text for text in axes.texts if text.get_text() in macs]
    assert len(names) == 3
    boxes = [text.get_window_extent() for text in names]
    points = [
        point
        for line in axes.lines
        if line.get_linestyle() == "None"
        for point in axes.transData.transform(line.get_xydata())
    ]
    assert len(points) == len(records)
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])
        assert not any(box.contains(*point) for point in points)
