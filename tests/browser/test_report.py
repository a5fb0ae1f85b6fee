import base64
import re

import pytest
from browsing import opened

from app.report.html_page import write_report
from fnprune_core.report import sections
from fnprune_core.storage.workspace import Workspace

#: Of each table: how much of it its box hides, and the words that stand on more than one line.
_TABLES = """
const broken = (cell) => {
  const words = [];
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    for (const word of node.data.matchAll(/[A-Za-z0-9.]+/g)) {
      if (word[0].length > 16) continue;  // a checksum may be broken
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1)
        words.push(word[0]);
    }
  }
  return words;
};
return [...document.querySelectorAll(".scroll")].map((box) => ({
  hidden: box.scrollWidth - box.clientWidth,
  tabIndex: box.tabIndex,
  name: box.getAttribute("aria-label"),
  caption: box.querySelector("caption span").getBoundingClientRect().width,
  broken: [...box.querySelectorAll("th, td")].flatMap(broken),
}));
"""


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
            boxes = person.driver.execute_script(_TABLES)
            assert not [word for box in boxes for word in box["broken"]], width
        # At 390 px some are wider than the screen; keys reach their boxes.
        assert any(box["hidden"] > 0 for box in boxes)
        assert all(box["tabIndex"] == 0 and box["name"] for box in boxes)
        assert all(box["caption"] <= 390 for box in boxes)
        printed = person.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 4
