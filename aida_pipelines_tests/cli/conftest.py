"""The ``aida`` command in this process: its arguments, its exit code, what it printed where."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aida_pipelines.cli.main import main
from aida_pipelines_tests.zones import Zones


@dataclass(frozen=True)
class Said:
    """What a call ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output; an error if anything else is there."""
        return json.loads(self.out)


class Aida:
    """``aida(…)`` calls the command in a home; the exit code must be the expected one."""

    def __init__(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capfd, self._patch = capfd, monkeypatch
        for name in [name for name in os.environ if name.startswith(("AIDA_", "AWS_", "DAGSTER_"))]:
            monkeypatch.delenv(name)

    def at(self, home: Path) -> Aida:
        """The same in another home."""
        self._patch.setenv("AIDA_HOME", str(home))
        return self

    def __call__(self, *arguments: str | Path, expect: int = 0) -> Said:
        self._capfd.readouterr()
        self._patch.setattr(sys, "argv", ["aida", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = self._capfd.readouterr()
        assert code == expect, f"{arguments}: {code}\n{printed.out}\n{printed.err}"
        return Said(code, printed.out, printed.err)


@pytest.fixture
def aida(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Aida:
    """``aida`` with an empty home."""
    monkeypatch.chdir(tmp_path)
    return Aida(capfd, monkeypatch).at(tmp_path / "home")


@pytest.fixture
def aida_released(aida: Aida, release_to_read: Zones) -> Aida:
    """``aida`` in a home with one delivery and one release, to read only."""
    return aida.at(release_to_read.home)


@pytest.fixture
def refused(aida: Aida) -> Callable[..., str]:
    """``refused(*arguments)``: wrong use, exit code 2; one message with a way out, no traceback, nothing on stdout."""

    def call(*arguments: str | Path, expect: int = 2) -> str:
        said = aida(*arguments, expect=expect)
        assert said.out == ""
        assert said.err.startswith("aida: ")
        assert "\n  → " in said.err
        assert "Traceback" not in said.err
        return said.err

    return call
