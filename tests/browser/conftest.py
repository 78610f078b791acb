from __future__ import annotations

import shutil

import pytest

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A window of Chromium without a screen, with a profile of its own; tests are skipped where there is none."""
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not found:
        pytest.skip("there is no Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        place = tmp_path_factory.mktemp("chromium")
        options = {"executable_path": found[0], "headless": True, "args": list(ARGUMENTS)}
        context = playwright.chromium.launch_persistent_context(str(place), **options)
        yield context
        context.close()
