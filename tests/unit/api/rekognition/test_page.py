"""docs/rekognition.md states each operation with its role and its treatment of tokens."""

import re

from functions.api.rekognition import serve  # noqa: F401 - it registers the operations
from functions.api.rekognition.operations import OPERATIONS
from models.build.files import ROOT


def test_the_page_lists_each_operation_with_its_role():
    page = (ROOT / "docs" / "rekognition.md").read_text()

    rows = re.findall(r"^\| ([A-Z]\w+) \| (\w+) \| (\w+) \|", page, re.MULTILINE)
    assert rows == sorted((one.name, one.role, one.bound_tokens) for one in OPERATIONS.values())
