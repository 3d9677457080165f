"""What docs/authoring.md tells people to write compiles, and what it shows is what is said."""

import re
from pathlib import Path

import pytest

from folkmoot.author import command
from folkmoot.serve import reference
from folkmoot.serve.program import Learner
from folkmoot.wire import bundle

TEXT = (Path(__file__).parents[2] / "docs" / "authoring.md").read_text()


def test_the_example_compiles_and_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = re.findall(r"^```python\n# mine\.py\n(.*?)^```", TEXT, re.M | re.S)
    (line,) = re.findall(r"^folkmoot author (\S+) -o doors\.fmb$", TEXT, re.M)
    (tmp_path / "mine.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    assert command.author(line, Path("doors.fmb")) == 0
    found, program = bundle.load(Path("doors.fmb").read_bytes())
    assert program.manifest.task == "doors"
    losses = reference.losses(Learner(program), found.weights, 0.05)
    assert losses[-1] < losses[0]


def test_the_sentence_that_is_shown_is_the_one_that_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shown = " ".join(re.findall(r"^> (.*)$", TEXT, re.M))
    assert command.author("tests.author.drafts:decomposing", tmp_path / "none.fmb") == 2
    assert capfd.readouterr().err.strip() == shown
    assert not (tmp_path / "none.fmb").exists()
