"""Every sentence on what is wrong is stated by a test: all that the code holds of it, the remedy included, in one text of the tests."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HOLE = "\0"  # what is filled in
LINE = "\1"
SAYS = {"refuse", "sys.exit", "parser.error"}  # besides what raises
REMEDIES = (";", ":", " must ")


def text_of(node: ast.AST) -> str | None:
    """A text of the code with holes; None for what is no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or HOLE for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = text_of(node.left), text_of(node.right)
        return None if sides == (None, None) else "".join(side or HOLE for side in sides)
    return None


def texts(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Every whole text but docstrings, and those in the holes of others."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        found = text_of(node)
        if found is not None:
            yield node, found
        parts = [node] if found is None else [part for part in ast.walk(node) if isinstance(part, ast.FormattedValue)]
        waiting += [inner for part in parts for inner in ast.iter_child_nodes(part)]


def inside(tree: ast.AST, wanted: tuple[type, ...], calls: set[str] = frozenset()) -> set[int]:
    """Ids of all nodes below those of the wanted types and below the calls of these names."""
    tops = (node for node in ast.walk(tree) if isinstance(node, wanted) or (isinstance(node, ast.Call) and ast.unparse(node.func) in calls))
    return {id(inner) for top in tops for inner in ast.walk(top)}


def sentences(tree: ast.Module, exceptions: set[str]) -> Iterator[tuple[int, str]]:
    """Line and text of what a module raises or, if it knows BadInput, returns and yields; elsewhere of what looks like a remedy."""
    knows = any(alias.name == "BadInput" for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names)
    said = inside(tree, (ast.Raise, *((ast.Return, ast.Yield) if knows else ())), exceptions | SAYS)
    printed = inside(tree, (), {"print"})
    for node, text in texts(tree):
        last = node.values[-1] if isinstance(node, ast.JoinedStr) else node
        near = isinstance(last, ast.FormattedValue) and ast.unparse(last.value).startswith("did_you_mean(")
        looks = near or (text.endswith(".") and "; " in text)
        if (id(node) in said and len(text.split()) > 3) or (looks and id(node) not in printed):
            yield node.lineno, text


@pytest.fixture(scope="module")
def said(repository) -> list[tuple[str, str]]:
    """Place and text of every sentence of the workflow's code."""
    folder = repository / "workflow" / "scripts"
    trees = {path.relative_to(folder): ast.parse(path.read_text()) for path in sorted(folder.rglob("*.py"))}
    bases = {node.name: {ast.unparse(base) for base in node.bases} for tree in trees.values() for node in tree.body if isinstance(node, ast.ClassDef)}
    exceptions = {"ValueError"}
    while more := {name for name, of in bases.items() if of & exceptions} - exceptions:
        exceptions |= more
    return [(f"{file}:{line}", text) for file, tree in trees.items() for line, text in sentences(tree, exceptions)]


def stated(folder: Path) -> str:
    """All texts of the tests, a line each; patterns also without the signs that keep their dots and brackets plain."""
    found = {text.replace("\n", LINE) for path in folder.rglob("*.py") for _, text in texts(ast.parse(path.read_text())) if " " in text}
    return "\n".join(sorted(found | {re.sub(r"\\(.)", r"\1", text) for text in found}))


def test_every_sentence_is_stated_by_a_test(said, repository):
    lines = stated(repository / "tests")
    patterns = [(f"{place} {text}", ".*".join(map(re.escape, re.split(f"[{HOLE}\n]", text))).removeprefix(".*")) for place, text in said]
    assert len(patterns) > 200
    assert [sentence for sentence, pattern in patterns if not re.search(pattern, lines)] == []


def test_every_sentence_has_a_remedy(said):
    """What follows the name of a clip or a file, as the reason of a status, ends without a full stop."""
    assert [f"{place} {text}" for place, text in said if text.endswith(".") and not any(sign in text for sign in REMEDIES)] == []
