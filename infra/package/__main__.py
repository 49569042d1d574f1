"""`python -m infra.package --target local|aws`: build the package and print its sizes."""

import argparse
import json
import sys

from rich.console import Console
from rich.table import Table

from infra.package.build import ROOT, package
from infra.package.targets import PackagingError
from infra.package.template import LAMBDA_LIMIT_BYTES, MB, FunctionSize, measure_sizes


def main(arguments: list[str]) -> int:
    """Run the command line; returns 1 if packaging failed."""
    parser = argparse.ArgumentParser(prog="python -m infra.package", description=__doc__)
    parser.add_argument("--target", choices=["local", "aws"], default="local")
    chosen = parser.parse_args(arguments).target
    console = Console(highlight=False, soft_wrap=True)
    try:
        folder = package(chosen, on_progress=lambda step: console.print(f"[dim]package {chosen}: {step} …"))
    except PackagingError as error:
        Console(stderr=True).print(f"package {chosen}: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    console.print(_sizes_table(chosen, measure_sizes(json.loads((folder / "sam.json").read_text()), folder)))
    console.print(f"packaged: {folder.relative_to(ROOT)}")
    return 0


def _sizes_table(target_name: str, sizes: tuple[FunctionSize, ...]) -> Table:
    """Return a table with the unzipped MB of the code, each layer and each function."""
    table = Table(title=f"{target_name}: unzipped MB", title_justify="left", box=None)
    for heading in ("", "MB", "of the limit", "parts"):
        table.add_column(heading, justify="left" if heading in ("", "parts") else "right")
    layers = {layer: layer_bytes for size in sizes for layer, layer_bytes in size.layers.items()}
    for name, part_bytes in {"code": sizes[0].code_bytes, **layers}.items():
        table.add_row(f"[dim]{name}", f"[dim]{part_bytes / MB:.1f}", "", "")
    for size in sizes:
        share = f"{100 * size.total_bytes / LAMBDA_LIMIT_BYTES:.0f} %"
        parts = " + ".join(("code", *(layer.removesuffix("Layer") for layer in size.layers)))
        table.add_row(size.function, f"{size.total_bytes / MB:.1f}", share, parts)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
