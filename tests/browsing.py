"""Pages in Chromium without a screen, driven by selenium, as somebody reads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
DRIVER = shutil.which("chromedriver")

MISSING = [
    name for name, path in (("chromium", CHROMIUM), ("chromium-driver", DRIVER)) if path is None
]
"""What would have to be installed (Debian's names) before a page can be read."""

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


def start(folder: Path) -> Any:
    """A browser with a profile in this folder."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(str(DRIVER)))


class Reader:
    """Somebody who reads the page."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser
        browser.get_log("browser")
        browser.get_log("performance")

    def all(self, selector: str) -> list[Any]:
        return list(self.browser.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        return self.browser.find_element("css selector", selector)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def bring(self, element: Any) -> Any:
        """Scroll an element into sight, below the bar at the top."""
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        return element

    def click(self, element: Any) -> None:
        self.bring(element)
        element.click()

    def point(self, element: Any) -> None:
        """Move the mouse over an element."""
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).move_to_element(self.bring(element)).perform()

    def press(self, *keys: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    def emulate(self, **features: str) -> None:
        """Media features, such as prefers_color_scheme='dark', and the medium itself."""
        medium = features.pop("media", "")
        listed = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": medium, "features": listed}
        )

    def resize(self, width: int, height: int) -> None:
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )

    def was_left_alone(self, address: str) -> None:
        """Whatever was done: no complaint on the console, no request but for the page itself."""
        assert self.browser.get_log("browser") == []
        requests = [
            message["params"]["request"]["url"]
            for entry in self.browser.get_log("performance")
            if (message := json.loads(entry["message"])["message"])["method"]
            == "Network.requestWillBeSent"
        ]
        assert [url for url in requests if not url.startswith(("data:", "chrome:", address))] == []
        assert any(url.startswith(address) for url in requests)
