"""One whole chapter of the lesson in a real browser, on a tiny model; a step opened by link."""

import pytest
from browsing import Browser, wait_for
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from app.learn.lesson import chapter

pytestmark = pytest.mark.browser
SIGNAL = chapter("signal")


def choose(browser: Browser, text: str) -> None:
    """Press the answer with this text."""

    def click() -> bool:
        labels = browser.driver.find_elements(By.CSS_SELECTOR, "[data-testid=stRadio] label")
        found = [label for label in labels if label.text.strip() == text]
        if found:
            browser.act(lambda: found[0], WebElement.click)
        return bool(found)

    wait_for(click, f"the answer {text!r}")


def test_a_student_goes_through_a_chapter(browser, placed) -> None:
    browser.open(f"/learn?model={placed.model}&atlas={placed.atlas}")
    browser.press(f"Begin: {SIGNAL.title}")
    browser.read(SIGNAL.predict.prompt)
    assert "chapter=signal" in browser.parameters()
    choose(browser, SIGNAL.predict.answer("once").text)
    browser.press("Commit to this answer")
    browser.read("The response of blood to 2 flashes")
    assert "step=do" in browser.parameters()
    browser.slide_to_start("lesson-gap")
    browser.read("The response of blood to 1 flash:")
    browser.press("Check my prediction")
    browser.read("What was measured")
    assert SIGNAL.predict.answer("once").why in browser.text()
    choose(browser, SIGNAL.check.answer("none").text)
    browser.read("Not quite.")
    choose(browser, SIGNAL.check.answer("one").text)
    browser.read("Next: Voxel and unit")
    browser.look(390, "light")
    browser.settle()
    assert browser.overflow() <= 0
    browser.look(1280, "dark")
    browser.press("All chapters")
    browser.read("1 of 11 done")
    link = f"/learn?model={placed.model}&atlas={placed.atlas}"
    browser.open(f"{link}&chapter=signal&step=do&show=open")  # as on the teacher's page
    browser.read("The response of blood to 2 flashes")
    assert not browser.errors()
