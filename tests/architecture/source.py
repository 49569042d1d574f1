"""The syntax trees of the source, each parsed once."""

import ast
import gc
from functools import cache
from pathlib import Path


@cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a module.

    A collection of garbage while Python 3.11 builds a tree can run other code that builds one, and ends in
    "AST constructor recursion depth mismatch" (https://github.com/python/cpython/issues/106905). The systems
    of the end-to-end tests leave enough garbage and threads behind, so there is none meanwhile.
    """
    gc.disable()
    try:
        return ast.parse(path.read_text())
    finally:
        gc.enable()
