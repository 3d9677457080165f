import ast
import re
from pathlib import Path

from folkmoot.wire.reasons import REASONS
from tests.architecture.conftest import ROOT

# Where a word of the vocabulary stands: the call, and the place of its argument.
PLACES = dict.fromkeys(
    ("PeerFault", "Rejected", "JobFault", "Failed", "Refuse", "Reply", "Cancelled", "StopWork", "Stopped"), 0
)
PLACES |= {"SendCancel": 1, "Closed": 1, "SendReceipt": 3, "_close": 1, "_reject": 4}
NAMED = {"Refuse": "reason", "Judgement": "rejection", "Request": "reason", "Answered": "rejection", "Receipt": "reason"}


def words() -> dict[str, str]:
    """Gives every reason that stands in the sources as a literal, with where."""
    found: dict[str, str] = {}
    for folder in ("shared", "gateway", "device", "cloud"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    found |= {word: f"{path.relative_to(ROOT)}:{node.lineno}" for word in _words(node, path)}
    return found


def _words(call: ast.Call, path: Path) -> list[str]:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    arguments = [call.args[PLACES[name]]] if name in PLACES and len(call.args) > PLACES[name] else []
    arguments += [keyword.value for keyword in call.keywords if keyword.arg == NAMED.get(name)]
    return [each.value for each in arguments if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value]


def test_every_reason_in_the_sources_is_in_the_vocabulary() -> None:
    assert {word: place for word, place in words().items() if word not in REASONS} == {}


def test_the_sources_are_searched_where_reasons_are() -> None:
    assert {"malformed", "non_finite", "no_blob", "newer", "answered", "oversized", "not_asked"} <= words().keys()


def test_a_reason_is_a_word_with_a_sentence() -> None:
    for word, sentence in REASONS.items():
        assert re.fullmatch(r"[a-z][a-z_]{1,31}", word)
        assert sentence.endswith(".")


def test_every_reason_is_in_the_document() -> None:
    document = (ROOT / "docs" / "protocol.md").read_text()
    assert [word for word in REASONS if f"| `{word}` |" not in document] == []
