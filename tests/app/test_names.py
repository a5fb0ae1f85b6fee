"""Without a mouse and without sight: buttons have names, and the focus of the keyboard is seen."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUTTONS = {
    *("button", "download_button", "form_submit_button", "link_button", "popover", "page_link"),
}
MADE = re.compile(r"createElement\(\"button\"\)|[^.\w]element\(\s*\"button\"")
STYLES = sorted((ROOT / "assets/styles").glob("*.css"))


def _nameless(code: str) -> Iterator[int]:
    """Yield the lines of Streamlit's buttons whose label holds no word, but perhaps an icon."""
    for call in ast.walk(ast.parse(code)):
        if not (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and isinstance(call.func.value, ast.Name)
            and call.func.value.id == "st"
            and call.func.attr in BUTTONS
        ):
            continue
        labels = call.args[:1] + [word.value for word in call.keywords if word.arg == "label"]
        for label in labels:
            if isinstance(label, ast.Constant) and not re.sub(r":[\w/]+:|\W", "", str(label.value)):
                yield call.lineno


def test_no_button_of_the_app_is_an_icon_without_a_name() -> None:
    # The tip of a button is not its name: screen readers would say "close" or "filter_list".
    assert list(_nameless('st.button("", icon=":material/close:", help="Out")')) == [1]
    assert list(_nameless('st.popover(":material/tune:")\nst.button("Out", icon="x")')) == [1]
    assert 'label: str = ""' not in "".join(
        p.read_text("utf-8") for p in (ROOT / "app").rglob("*.py")
    )
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / "app").rglob("*.py"))
        for line in _nameless(path.read_text("utf-8"))
    ]
    assert not found


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_a_hidden_label_is_clipped_and_not_taken_out(path) -> None:
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", path.read_text("utf-8"))
    gone = [on.strip() for on, what in rules if re.search(r"display:\s*none", what)]
    assert not [on for on in gone if re.search(r"[bB]utton\S*\s+p\b", on)]


def test_what_a_button_shows_is_its_name() -> None:
    """Who speaks to a page says what stands on a button; a name of other words is not found."""
    for path in sorted((ROOT / "assets/components").glob("*.js")):
        code = path.read_text("utf-8")
        assert not re.search(r'"aria-label", \w+\.title\)', code), path.name
        assert not re.search(r'\brow\.setAttribute\("aria-label"', code), path.name


def test_every_component_with_buttons_shows_which_has_the_focus() -> None:
    folder = ROOT / "assets/components"
    made = {
        path.stem.partition("_controls")[0]
        for path in folder.glob("*.js")
        if MADE.search(path.read_text("utf-8"))
    }
    assert {"bars", "copy_link", "gallery", "lab_table", "live", "viewer"} <= made
    assert not [
        name for name in made if ":focus-visible" not in (folder / f"{name}.css").read_text("utf-8")
    ]
    frame = (ROOT / "assets/styles/frame.css").read_text("utf-8")
    assert re.search(r"^a:focus-visible \{outline: 2px solid", frame, re.MULTILINE)
