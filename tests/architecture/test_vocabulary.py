"""Identifiers use the field's standard terms, and every domain word of the core is in the glossary."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import parse

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("functions", "layers", "infra", "models", "clients")
GENERATED = {"clients/python/vigil_client/types.py"}

WORDS = tomllib.loads(Path(__file__).with_name("vocabulary.toml").read_text())
DENIED = set(WORDS["denied"].split())
DENIED_ALONE = set(WORDS["denied_alone"].split())
GENERAL = set(WORDS["general"].split())


def test_no_identifier_is_a_metaphor():
    found = sorted(
        {
            f"{path.relative_to(ROOT)}:{line} {name}"
            for path in _product_files()
            for line, name in _identifiers(path)
            if name not in WORDS["allowed"] and _is_denied(name)
        }
    )

    assert not found, "\n" + "\n".join(found)


def test_every_domain_word_of_the_core_is_in_the_glossary():
    known = {_singular(word) for word in _glossary_words() | GENERAL}
    missing = {
        f"{path.relative_to(ROOT)} {name}: {word}"
        for path in (ROOT / "layers" / "vigil").rglob("*.py")
        for name in _public_classes(path)
        for word in _words(name)
        if _singular(word) not in known
    }

    assert not missing, "\n" + "\n".join(sorted(missing))


def test_every_term_of_the_glossary_is_defined_once():
    terms = re.findall(r"^\| \*\*(.+?)\*\* \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)

    assert len(terms) > 50
    assert len(terms) == len(set(terms))


def _is_denied(name: str) -> bool:
    words = _words(name)
    return bool(DENIED & set(words)) or name.strip("_") in DENIED_ALONE


def _product_files() -> Iterator[Path]:
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if str(path.relative_to(ROOT)) not in GENERATED:
                yield path


def _identifiers(path: Path) -> Iterator[tuple[int, str]]:
    """The module's name, and every class, function, parameter, variable and attribute that it defines."""
    yield 1, path.stem
    for node in ast.walk(parse(path)):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name


def _public_classes(path: Path) -> Iterator[str]:
    for node in parse(path).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def _glossary_words() -> set[str]:
    """The words of the defined terms."""
    terms = re.findall(r"^\| \*\*(.+?)\*\* \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    return {word for term in terms for word in re.findall(r"[a-z]+", term.lower())}


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
