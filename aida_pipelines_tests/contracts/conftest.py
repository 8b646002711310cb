"""A copy of the shipped contracts to break, and what is said about it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.contracts.models import Contracts
from aida_pipelines.errors import ContractError

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def shipped() -> Contracts:
    return load_contracts(CHECKOUT / "data_contracts")


@dataclass(frozen=True)
class Folder:
    """A folder of contracts on disk."""

    root: Path

    def change(self, file: str, old: str, new: str) -> int:
        """Replace the first ``old`` in a file; the line on which it stood."""
        path = self.root / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} no longer says {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return text[: text.index(old)].count("\n") + 1

    def write(self, file: str, text: str | bytes) -> None:
        path = self.root / file
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    def load(self) -> Contracts:
        return load_contracts(self.root)

    def problems(self) -> list[str]:
        """What is told of it, a line a problem."""
        with pytest.raises(ContractError) as raised:
            self.load()
        assert raised.value.exit_code == 2
        assert raised.value.way_out
        return raised.value.message.splitlines()

    def problem(self) -> str:
        """The one thing that is told of it."""
        (only,) = self.problems()
        return only


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The shipped contracts, to be changed."""
    return Folder(Path(shutil.copytree(CHECKOUT / "data_contracts", tmp_path / "data_contracts")))


@pytest.fixture
def small(tmp_path: Path) -> Callable[[str], Folder]:
    """``small(yaml)``: a folder with one table contract, ``things``."""

    def make(text: str) -> Folder:
        (tmp_path / "data_contracts" / "tables").mkdir(parents=True)
        folder = Folder(tmp_path / "data_contracts")
        folder.write("tables/things.odcs.yaml", text)
        return folder

    return make
