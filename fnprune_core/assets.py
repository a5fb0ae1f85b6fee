"""Where the data that ships lies: texts, stimuli, lesson, recipes, templates, scripts."""

from pathlib import Path

#: In a wheel alone, the folder that holds the package `app`: nothing of ours is top-level but us.
WHEEL = Path(__file__).with_name("_wheel")


def asset(name: str) -> Path:
    """Return the path of a file or folder of `assets/`, in a checkout as in a wheel."""
    here = Path(__file__).parent
    if not (here / "assets").is_dir():
        return here.parent / "assets" / name
    # The server hands out only what lies beside the app, so a wheel has these files there.
    return (WHEEL / "app" if name.startswith("static/") else here / "assets") / name
