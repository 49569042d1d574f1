"""`python -m infra.package --target local|aws`: package, then show what everything weighs."""

import argparse
import json
import sys

from rich.console import Console
from rich.table import Table

from infra.package.assemble import ROOT, package
from infra.package.errors import PackagingError
from infra.package.sizes import LIMIT_BYTES, MB, Weight, weigh


def main(arguments: list[str]) -> int:
    """Run the command line; 1 when nothing could be packaged."""
    parser = argparse.ArgumentParser(prog="python -m infra.package", description=__doc__)
    parser.add_argument("--target", choices=["local", "aws"], default="local")
    chosen = parser.parse_args(arguments).target
    console = Console(highlight=False, soft_wrap=True)
    try:
        folder = package(chosen, on_progress=lambda doing: console.print(f"[dim]package {chosen}: {doing} …"))
    except PackagingError as error:
        Console(stderr=True).print(f"package {chosen}: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    console.print(_table(chosen, weigh(json.loads((folder / "sam.json").read_text()), folder)))
    console.print(f"packaged: {folder.relative_to(ROOT)}")
    return 0


def _table(chosen: str, weights: tuple[Weight, ...]) -> Table:
    """A row per function, a column per layer, in unzipped MB."""
    layers = list(dict.fromkeys(layer for weight in weights for layer in weight.layers))
    table = Table(title=f"{chosen}: unzipped MB", title_justify="left")
    table.add_column("function")
    for heading in ("code", *layers, "total", "of Lambda's most"):
        table.add_column(heading, justify="right")
    for weight in weights:
        cells = [f"{weight.layers[layer] / MB:.1f}" if layer in weight.layers else "–" for layer in layers]
        total = weight.total_bytes
        share = f"{100 * total / LIMIT_BYTES:.0f} %"
        table.add_row(weight.function, f"{weight.own_bytes / MB:.1f}", *cells, f"{total / MB:.1f}", share)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
