"""The Dagster UI as a steward opens it, in a real browser, over the demo's home."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from aida_pipelines_tests.end_to_end.conftest import AIDA

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def address(demo_home):
    """The UI's address while it is up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([*AIDA, "ui", "--port", str(port)], env=demo_home.env, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    for _ in range(240):
        assert server.poll() is None, "aida ui ended"
        try:
            urllib.request.urlopen(f"{url}/server_info", timeout=2).close()
            break
        except OSError:
            time.sleep(0.5)
    yield url
    server.send_signal(signal.SIGINT)
    server.wait(60)


@pytest.fixture(scope="module")
def page(address):
    """A tab of headless Chromium."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        quiet = [
            "--no-sandbox",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        page = browser.new_page(viewport={"width": 1720, "height": 1080})
        yield page
        browser.close()


def seen(page, name: str, url: str, *words: str) -> None:
    """Open a page, wait until each of the words is on it; keep a picture if AIDA_SCREENSHOTS names a folder."""
    page.goto(url, wait_until="domcontentloaded")
    for word in words:
        page.get_by_text(word).first.wait_for(timeout=60_000)
    if folder := os.environ.get("AIDA_SCREENSHOTS"):
        page.wait_for_timeout(8000)  # the graph is laid out, and moves, after its words are there
        page.screenshot(path=f"{folder}/{name}.png")


def test_the_asset_graph_shows_the_stages_of_both_locations(page, address):
    stages = ("raw_ingest", "deidentification", "harmonisation", "quality_checks", "curated_datasets")
    groups = "%2C".join(f"global%40global%3A{stage}" for stage in (*stages, "warehouse"))
    tables = ("files", "instances", "series", "quality", "candidate", "release")
    seen(page, "asset_graph", f"{address}/asset-groups/?expanded={groups}", *stages, *tables)


def test_no_dialog_stands_before_the_work(page, address):
    page.goto(f"{address}/asset-groups", wait_until="networkidle")
    assert not page.get_by_text("Join the Dagster community").count()


def test_an_asset_shows_its_deliveries(page, address):
    seen(
        page, "deliveries", f"{address}/assets/refined/instances?view=partitions", "norr_demo_1", "syd_demo_1"
    )


def test_a_delivery_says_what_was_not_passed_on_why_and_what_to_do(page, address):
    words = (
        "not passed on", "burned-in-text", "what to do", "Look at the picture at the site",
        "no identifier found: passed on", "reduced to harmless words", "Retain Patient Characteristics Option",
        "aida report --delivery norr_demo_1",
    )  # fmt: skip
    url = f"{address}/assets/refined/instances?view=partitions&partition=norr_demo_1"
    seen(page, "delivery", url, *words)


def test_an_asset_shows_its_checks(page, address):
    seen(
        page, "checks", f"{address}/assets/refined/rejections?view=checks", "no_identifier_found", "contract"
    )


def test_a_candidate_shows_what_would_be_released(page, address):
    url = f"{address}/assets/curated/candidate?view=partitions&partition=reference-images"
    seen(page, "candidate", url, "next version", "selection", "deliveries")


def test_no_identifier_is_on_any_of_these_pages(page, address):
    from aida_pipelines.demo.deliveries import demo_identifiers

    for path in ("asset-groups", "assets/refined/instances?view=overview", "runs"):
        page.goto(f"{address}/{path}", wait_until="networkidle")
        text = page.inner_text("body")
        assert not [needle for needle in demo_identifiers() if needle in text]
