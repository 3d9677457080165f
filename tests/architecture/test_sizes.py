"""No module and no function grows without somebody saying why it should.

House style aims at modules of 300 lines and functions of 40. These caps are where a test begins to ask: a little more room, and
a reason beside every exception. An exception that is no longer one fails too.
"""

import ast
from pathlib import Path

from tests.architecture.conftest import ROOT

MODULE = 400  # lines
FUNCTION = 60  # lines, from `def` to the last statement, without decorators

# path, or path:qualified name -> why it may be longer
EXCEPTIONS = {
    "cloud/folkmoot_cloud/migrations/versions/0001_the_first_tables.py:upgrade": "a list of statements, never edited again",
}

# path -> why the name says enough
NAMES = {
    "cloud/folkmoot_cloud/tables/base.py": "`Base` is SQLAlchemy's own word for what stands in it",
}


def modules() -> list[Path]:
    """Gives every Python file that is ours."""
    folders = ("shared", "cloud", "gateway", "device", "tests", "benchmarks", ".ci")
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def functions(tree: ast.AST, prefix: str = "") -> list[tuple[str, int]]:
    """Gives the qualified name and the length of every function, those inside others included."""
    found: list[tuple[str, int]] = []
    for node in ast.iter_child_nodes(tree):
        name = f"{prefix}{getattr(node, 'name', '')}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            found.append((name, node.end_lineno - node.lineno + 1))
        scope = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        found += functions(node, f"{name}." if scope else prefix)
    return found


def oversized() -> dict[str, int]:
    """Gives what is beyond its cap, with its lines."""
    found = {}
    for path in modules():
        text = path.read_text()
        name = str(path.relative_to(ROOT))
        if (lines := len(text.splitlines())) > MODULE:
            found[name] = lines
        found |= {f"{name}:{inner}": size for inner, size in functions(ast.parse(text)) if size > FUNCTION}
    return found


def test_what_is_longer_than_its_cap_has_a_reason() -> None:
    unexcused = {name: lines for name, lines in oversized().items() if name not in EXCEPTIONS}
    assert unexcused == {}, f"split them, or give the reason in {__name__}.EXCEPTIONS"


def test_no_exception_outlives_its_cause() -> None:
    assert EXCEPTIONS.keys() <= oversized().keys()


def test_no_module_is_named_after_nothing() -> None:
    vague = {"manager", "helper", "helpers", "util", "utils", "base", "data", "info", "common", "misc"}
    found = {str(path.relative_to(ROOT)) for path in modules() if path.stem in vague}
    assert found == NAMES.keys()
