"""A headless Chromium, and what a page is asked in it."""

import shutil
from pathlib import Path
from typing import Any

from support import need

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
    "disable-component-update", "disable-sync", "disable-dev-shm-usage",
)  # fmt: skip


def start() -> Any:
    """Return a browser driven by Selenium."""
    need("chromium")
    need("chromedriver")
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for flag in FLAGS:
        options.add_argument(f"--{flag}")
    return Chrome(options=options, service=Service(DRIVER))


def show(browser: Any, page: Path, width: int = 1400, scheme: str = "light", media: str = "screen") -> None:
    """Open a file in a window so wide, by a user who prefers this colour scheme."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    browser.get(page.resolve().as_uri())
