"""A report page in a real browser: headless Chromium on a file:// address, watched for errors and requests."""

import json
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from rnalm.evaluation.numbers import shown
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PHONE, DESKTOP = (360, 800), (1280, 900)
SECONDS_TO_DRAW = 60
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def missing() -> str | None:
    """Why no browser test can run here, or None."""
    absent = [program for program in ("chromium", "chromedriver") if shutil.which(program) is None]
    return f"{' and '.join(absent)} not installed (Debian: apt install chromium chromium-driver)" if absent else None


@contextmanager
def chromium():
    """A headless Chromium with an empty profile, its console and network logs on."""
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
        try:
            driver.get("about:blank")
            driver.get_log("performance")  # what the browser's own first page asked for is no concern of ours
            yield driver
        finally:
            driver.quit()


def show(driver, page: Path, size: tuple[int, int], scheme: str = "light") -> None:
    """Load the page in a viewport of `size` (px) and wait until its charts are drawn."""
    width, height = size
    device = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    driver.get(Path(page).resolve().as_uri())
    drawn = "return document.documentElement.dataset.drawn === 'yes'"
    WebDriverWait(driver, SECONDS_TO_DRAW).until(lambda browser: browser.execute_script(drawn))


def requests(driver) -> list[str]:
    """Addresses asked for since the last call, other than the page itself and data in it."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return [address for address in sent if not address.startswith(("file:", "data:"))]


def undrawn(driver) -> list[str]:
    """Ids of charts without a canvas or SVG of some size; those in folded parts are drawn when one opens them."""
    return driver.execute_script(
        """return [...document.querySelectorAll(".chart")].filter(element => {
             if (element.closest("details:not([open])")) return false;
             const drawing = element.querySelector("canvas, svg");
             const box = drawing && drawing.getBoundingClientRect();
             return !box || box.width < 50 || box.height < 20;
           }).map(element => element.id)"""
    )


def results_rows(driver, task: str, split: str) -> list[str]:
    """Text of the rows of a split in the results tables, folded or not."""
    rows = driver.find_elements(By.CSS_SELECTOR, f".results tr[data-task='{task}'][data-split='{split}']")
    return [row.get_attribute("textContent") for row in rows]


def unfold(driver) -> None:
    """Open all that is folded and wait until its charts are drawn."""
    driver.execute_script("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    WebDriverWait(driver, SECONDS_TO_DRAW).until(lambda browser: undrawn(browser) == [])


def check_page(driver, page: Path) -> None:
    """Assert that a page loads without errors or requests, draws and fits, on a desk and on a phone."""
    for size in (DESKTOP, PHONE):
        show(driver, page, size)
        assert undrawn(driver) == [], f"charts without a drawing at {size}"
        assert driver.find_elements(By.CSS_SELECTOR, ".chart"), "the page holds no charts"
        unfold(driver)
        wide = driver.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"the page is {wide} px wider than {size}"
    severe = [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert severe == []
    assert requests(driver) == []


def check_report(page: Path, metrics: Path) -> None:
    """`check_page`, and the page holds the numbers of metrics.csv."""
    with chromium() as driver:
        check_page(driver, page)
        table = pl.read_csv(metrics, schema_overrides={"value": pl.Float64})
        for (task, split), cells in table.group_by("task", "split"):
            text = " ".join(results_rows(driver, task, split))
            for name, value in cells.select("metric", "value").iter_rows():
                assert shown(value, name) in text, f"{name} {value} of {task}, {split} is not in the results tables"
