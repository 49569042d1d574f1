"""The plot of `make bench`: ratios beside their targets, photos per second, package sizes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from tests.plotting import GOOD, INK, LIVE, WARNING, save_png, style_axes


def draw_benchmark(figures: Mapping[str, Any], targets: Mapping[str, tuple[str, float]], file: Path) -> None:
    """Write a PNG."""
    figure, axes = plt.subplots(1, 4, figsize=(15, 3.8), width_ratios=[3.2, 1.2, 1.2, 2.2])
    _draw_ratios(axes[0], figures, targets)
    _draw_bars(
        axes[1],
        {"Vigil": figures["times_faster_than_face_recognition"]},
        "times faster than\nface_recognition",
    )
    axes[1].axhline(targets["times_faster_than_face_recognition"][1], color=INK, linestyle="--", linewidth=1)
    workers = {
        f"{n} worker{'s' * (n != '1')}": rate for n, rate in figures["local_photos_per_second"].items()
    }
    _draw_bars(axes[2], workers, "photos per second,\nlocal cloud")
    _draw_bars(axes[3], _largest_packages(figures["unzipped_mb"]), "unzipped, MB\n(Lambda limit: 250)")
    figure.tight_layout()
    save_png(figure, file)


def _draw_ratios(axes: Axes, figures: Mapping[str, Any], targets: Mapping[str, tuple[str, float]]) -> None:
    rows = {
        "one photo / lower bound": (figures["photo_over_floor"], targets["photo_over_floor"][1]),
        "cold start / bare imports": (figures["cold_start_over_bare"], targets["cold_start_over_bare"][1]),
        **{
            f"search {int(size):,} / numpy": (
                value,
                targets.get(f"search_over_numpy.{size}", targets["search_over_numpy"])[1],
            )
            for size, value in figures["search_over_numpy"].items()
        },
    }
    for place, (value, bound) in enumerate(rows.values()):
        axes.barh(place, value, color=GOOD if value <= bound else WARNING, height=0.6)
        axes.plot([bound, bound], [place - 0.4, place + 0.4], color=INK, linestyle="--", linewidth=1.2)
        axes.text(value, place, f" {value:.2f}", va="center", fontsize=9)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set_xlim(0, max(max(value, bound) for value, bound in rows.values()) * 1.2)
    axes.set_title("ratios, lower is better; dashed: target", fontsize=10)
    _style(axes)


def _draw_bars(axes: Axes, values: Mapping[str, float], title: str) -> None:
    bars = axes.bar(list(values), list(values.values()), color=LIVE, width=0.6)
    axes.bar_label(bars, fmt="%.3g", fontsize=9)
    axes.set_title(title, fontsize=10)
    axes.margins(y=0.15)
    axes.tick_params(axis="x", labelrotation=25 if len(values) > 2 else 0)
    _style(axes)


def _largest_packages(sizes: Mapping[str, float]) -> dict[str, float]:
    """Size in MB of each layer above 1 MB, and of the largest function with its layers."""
    layers = {name: size for name, size in sizes.items() if name.endswith("Layer") and size >= 1}
    largest = max((name for name in sizes if not name.endswith("Layer")), key=lambda name: sizes[name])
    return {name.removesuffix("Layer"): size for name, size in layers.items()} | {largest: sizes[largest]}


def _style(axes: Axes) -> None:
    style_axes([axes])
    axes.tick_params(labelsize=9)
