"""The rules of the cloud's code, executed: who may speak SQL, who commits, and that nothing happens at import."""

import ast
from pathlib import Path

import pytest

import folkmoot_cloud

ROOT = Path(folkmoot_cloud.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
# What is made of SQL, or makes sessions. serve.py and problems.py name the database's errors only.
SQL = ("columns.py", "database.py", "pages.py", "problems.py", "serve.py", "statements.py", "tables/", "migrations/")
NOUNS = {"endpoints.py", "repository.py", "schemas.py", "service.py"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> set[str]:
    """Gives the modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_queries_stand_in_repositories(path: Path) -> None:
    if path.name == "repository.py" or name(path).startswith(SQL):
        return
    spoken = {module for module in imports(path) if module.split(".")[0] == "sqlalchemy"}
    assert spoken <= {"sqlalchemy.exc", "sqlalchemy.exc.SQLAlchemyError"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_nobody_commits_but_the_database(path: Path) -> None:
    if name(path) in ("database.py", "sqlite.py"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("commit", "rollback", "begin_nested") or name(path).startswith("runner/"), node.lineno


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "endpoints.py"], ids=name)
def test_endpoints_name_what_they_give_and_leave_queries_to_others(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if not isinstance(node, ast.AsyncFunctionDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute):
                given = {keyword.arg for keyword in decorator.keywords}
                assert given & {"response_model", "status_code"}, f"{node.name}, line {node.lineno}"


def test_every_noun_of_the_api_has_the_same_files() -> None:
    for endpoints in ROOT.glob("*/endpoints.py"):
        missing = NOUNS - {path.name for path in endpoints.parent.glob("*.py")}
        # A blob has no fields; what it is, its bytes and headers say.
        assert missing <= ({"schemas.py"} if endpoints.parent.name == "blobs" else set()), endpoints.parent.name


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_nothing_is_opened_when_a_module_is_imported(path: Path) -> None:
    if name(path).startswith("migrations/"):
        return
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            called = ast.unparse(node.value.func)
            assert called not in ("create_app", "FastAPI", "Settings", "Database", "create_async_engine"), node.lineno
