"""The report of a made-up run in a real browser, on a desk and on a phone."""

import browser
import pytest

pytestmark = pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))


def test_report_loads_draws_and_fits(report_path):
    browser.check_report(report_path, report_path.parents[1] / "metrics.csv")


def test_charts_follow_the_dark_scheme(report_path):
    with browser.chromium() as driver:
        colours = []
        for scheme in ("light", "dark"):
            browser.show(driver, report_path, browser.DESKTOP, scheme)
            colours.append(
                driver.execute_script(
                    """return [getComputedStyle(document.body).backgroundColor,
                               document.querySelector(".chart svg .role-axis-label text").getAttribute("fill")]"""
                )
            )
    assert all(light != dark for light, dark in zip(*colours, strict=True))


def test_broken_chart_is_noticed(report_path, tmp_path):
    broken = tmp_path / "index.html"
    broken.write_text(report_path.read_text().replace('"mark":{"type":"bar"', '"mark":{"type":"no-such-mark"'))
    with pytest.raises(AssertionError, match="charts without a drawing"):
        browser.check_report(broken, report_path.parents[1] / "metrics.csv")
