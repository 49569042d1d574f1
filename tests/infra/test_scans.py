"""What other people's checkers say about the template: nothing that we have not answered."""

import json
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from cfnlint.api import lint  # type: ignore[import-untyped]  # it ships no types

from tests.infra.conftest import Template

CHECKOV = Path(__file__).resolve().parents[2] / ".venv-scan" / "bin" / "checkov"
Suppressions = dict[str, dict[str, str]]


def test_cfn_lint_finds_nothing(packaged: Path, suppressions: Suppressions):
    found = lint((packaged / "sam.json").read_text())

    assert [str(match) for match in found if match.rule.id not in suppressions["cfn-lint"]] == []


@pytest.mark.skipif(not CHECKOV.exists(), reason="the scanner has its own environment: `make test` builds it")
def test_checkov_finds_only_what_has_a_reason(
    translated: Template, suppressions: Suppressions, tmp_path: Path
):
    plain = tmp_path / "template.json"
    plain.write_text(json.dumps(translated))
    words = ["-f", str(plain), "--framework", "cloudformation", "-o", "json", "--skip-download", "--quiet"]
    answer = subprocess.run([str(CHECKOV), *words], check=False, capture_output=True, text=True)
    report = json.loads(answer.stdout)
    findings = {f"{found['check_id']} {found['resource']}" for found in report["results"]["failed_checks"]}

    known = suppressions["checkov"]
    excused = {finding for finding in findings for pattern in known if fnmatchcase(finding, pattern)}
    stale = [p for p in known if not any(fnmatchcase(finding, p) for finding in findings)]

    assert (sorted(findings - excused), stale, report["summary"]["parsing_errors"]) == ([], [], 0)
    assert report["summary"]["passed"] > 0
