"""Homes to run the program in, as its users run it: by its command line, in processes of its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from aida_pipelines.settings import CHECKOUT

SHARED_DATA = CHECKOUT.parent / "shared" / "data" / "dev"

AIDA = [sys.executable, "-m", "aida_pipelines.cli"]


@dataclass(frozen=True)
class Home:
    """An ``AIDA_HOME`` and the ``aida`` command with it."""

    path: Path
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIDA_", "DAGSTER_", "AWS_"))}
        return kept | {"AIDA_HOME": str(self.path)} | dict(self.extra)

    def run(self, *arguments: str, expect: int | tuple[int, ...] = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([*AIDA, *arguments], env=self.env, capture_output=True, text=True, check=False)
        expected = (expect,) if isinstance(expect, int) else expect
        assert done.returncode in expected, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str, expect: int | tuple[int, ...] = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", expect=expect).stdout)

    def tree(self) -> dict[str, str]:
        """Relative path → SHA-256 of everything in the zones. Dagster's own records tell times: left out.

        Of the warehouse the hash is of what its tables hold: DuckDB writes a random id into each file.
        """
        return {
            str(path.relative_to(self.path)): _digest(path)
            for path in sorted(self.path.rglob("*"))
            if path.is_file() and path.relative_to(self.path).parts[0] in ("raw", "refined", "curated")
        }


def _digest(path: Path) -> str:
    content = path.read_bytes() if path.suffix != ".duckdb" else _rows_of(path)
    return hashlib.sha256(content).hexdigest()


def _rows_of(path: Path) -> bytes:
    with duckdb.connect(str(path), read_only=True) as db:
        names = db.sql("SELECT schema_name, table_name, sql FROM duckdb_tables() ORDER BY ALL").fetchall()
        views = db.sql(
            "SELECT schema_name, view_name, sql FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
        ).fetchall()
        rows = [db.sql(f'SELECT * FROM "{schema}"."{name}"').fetchall() for schema, name, _ in names]
    return repr((names, views, rows)).encode()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Home:
    """A home in which the demo has run once."""
    home = Home(tmp_path_factory.mktemp("demo") / "home")
    home.run("demo")
    return home


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development data beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the development data are not beside this checkout ({SHARED_DATA.name} missing)")
    return SHARED_DATA
