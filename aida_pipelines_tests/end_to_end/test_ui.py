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


def seen(page, url: str, *words: str) -> None:
    page.goto(url, wait_until="domcontentloaded")
    for word in words:
        page.get_by_text(word).first.wait_for(timeout=60_000)
    if folder := os.environ.get("AIDA_SCREENSHOTS"):
        page.wait_for_timeout(2500)  # the graph is laid out after its words are there
        name = url.partition("//")[2].partition("/")[2].replace("/", "-").partition("?")[0]
        page.screenshot(path=f"{folder}/{name}.png")


def test_the_asset_graph_shows_both_locations(page, address):
    seen(page, f"{address}/asset-groups", "files", "instances", "series", "quality", "candidate", "release")


def test_an_asset_shows_its_deliveries(page, address):
    seen(page, f"{address}/assets/refined/instances?view=partitions", "norr", "syd")


def test_an_asset_shows_its_checks(page, address):
    seen(page, f"{address}/assets/refined/rejections?view=checks", "no_identifier_found")


def test_an_asset_page_says_what_was_not_passed_on(page, address):
    seen(page, f"{address}/assets/refined/instances?view=overview", "not passed on")


def test_no_identifier_is_on_any_of_these_pages(page, address):
    from aida_pipelines.demo.deliveries import demo_identifiers

    for path in ("asset-groups", "assets/refined/instances?view=overview", "runs"):
        page.goto(f"{address}/{path}", wait_until="networkidle")
        text = page.inner_text("body")
        assert not [needle for needle in demo_identifiers() if needle in text]
