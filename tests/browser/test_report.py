import base64
import re

import pytest
from browsing import opened

from app.report.html_page import write_report
from fnprune_core.report import sections
from fnprune_core.storage.workspace import Workspace


@pytest.mark.browser
def test_the_file_opens_without_a_network_and_prints(example, fresh, tmp_path, need_chromium):
    path = write_report(
        Workspace(fresh), example.atlas, tmp_path / "report.html",
        settings=sections.ReportSettings(z=1.5, n_detailed=2),
    )  # fmt: skip
    with opened(need_chromium) as person:
        person.go_offline()
        person.driver.get(path.as_uri())
        assert person.errors() == []
        schemes = {address.partition(":")[0] for address in person.requests()}
        assert schemes <= {"file", "data", "about", "chrome"}
        widths = person.driver.execute_script(
            "return [...document.images].map((i) => i.complete && i.naturalWidth)"
        )
        assert widths
        assert all(widths)
        for width in (1280, 390):
            person.look(width, "light")
            assert person.overflow() <= 0, width
        printed = person.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 4
