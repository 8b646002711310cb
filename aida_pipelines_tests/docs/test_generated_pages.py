"""Generated pages are what their sources say now."""

import importlib.util

from aida_pipelines.settings import CHECKOUT


def test_generated_pages_are_up_to_date():
    spec = importlib.util.spec_from_file_location("make_docs", CHECKOUT / "tools" / "make_docs.py")
    make_docs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_docs)
    stale = [path.name for path, text in make_docs.pages() if not path.exists() or path.read_text() != text]
    assert not stale, "run `make docs`"
