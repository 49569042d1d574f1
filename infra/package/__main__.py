"""`python -m infra.package --target local|aws`: package, then show what everything weighs."""

import argparse
import json
import sys

from rich.console import Console
from rich.table import Table

from infra.package.build import ROOT, package
from infra.package.errors import PackagingError
from infra.package.sizes import LAMBDA_LIMIT_BYTES, MB, FunctionSize, measure_sizes


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
    console.print(_sizes_table(chosen, measure_sizes(json.loads((folder / "sam.json").read_text()), folder)))
    console.print(f"packaged: {folder.relative_to(ROOT)}")
    return 0


def _sizes_table(target_name: str, sizes: tuple[FunctionSize, ...]) -> Table:
    """A row for the code, each layer and each function, in unzipped MB."""
    table = Table(title=f"{target_name}: unzipped MB", title_justify="left", box=None)
    for heading in ("", "MB", "of Lambda's most", "made of"):
        table.add_column(heading, justify="left" if heading in ("", "made of") else "right")
    layers = {layer: size for function_size in sizes for layer, size in function_size.layers.items()}
    for name, size in {"code": sizes[0].code_bytes, **layers}.items():
        table.add_row(f"[dim]{name}", f"[dim]{size / MB:.1f}", "", "")
    for weight in sizes:
        share = f"{100 * weight.total_bytes / LAMBDA_LIMIT_BYTES:.0f} %"
        parts = " + ".join(("code", *(layer.removesuffix("Layer") for layer in weight.layers)))
        table.add_row(weight.function, f"{weight.total_bytes / MB:.1f}", share, parts)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
