import base64
import re

import pytest
from browsing import FLAGS
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from app.report.html_page import write_report
from fnprune_core.report import sections
from fnprune_core.storage.workspace import Workspace


@pytest.mark.browser
def test_the_file_opens_without_a_network_and_prints(example, fresh, tmp_path, need_chromium):
    path = write_report(
        Workspace(fresh), example.atlas, tmp_path / "report.html",
        settings=sections.ReportSettings(z=1.5, n_detailed=2),
    )  # fmt: skip
    options = Options()
    options.binary_location = str(need_chromium[0])
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(str(need_chromium[1])))
    try:
        driver.execute_cdp_cmd("Network.enable", {})
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
        driver.get(path.as_uri())
        assert [e for e in driver.get_log("browser") if e["level"] == "SEVERE"] == []
        asked = re.findall(
            r'"url":"(\w+):', str([e["message"] for e in driver.get_log("performance")])
        )
        assert set(asked) <= {"file", "data", "about", "chrome"}
        widths = driver.execute_script(
            "return [...document.images].map((i) => i.complete && i.naturalWidth)"
        )
        assert widths
        assert all(widths)
        overflow = "return document.documentElement.scrollWidth - window.innerWidth"
        for width in (1280, 390):
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            assert driver.execute_script(overflow) <= 0, width
        printed = driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
        pdf = base64.b64decode(printed["data"])
    finally:
        driver.quit()
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 4
