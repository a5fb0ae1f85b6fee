"""Which tests a change touches: writes the files that `make quick` runs.

A changed test file runs itself. A module's tests are the file of its name in the folder that
mirrors its own, and the few files that import it; else those named after its page; else the folder.
"""

import functools
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
#: Checks of all code, quick enough for every change.
ALWAYS = ("tests/core/test_layout.py", "tests/test_boundaries.py", "tests/test_promises.py")
#: Of a module that more files import, those beyond its own are left to the whole suite.
FEW = 6


def git(*arguments: str) -> list[str]:
    """Return the lines that a command of git prints."""
    run = subprocess.run(("git", *arguments), cwd=ROOT, check=True, capture_output=True, text=True)
    return run.stdout.splitlines()


def changed(base: str) -> list[str]:
    """Return the paths that differ from where this branch left `base`, new files too."""
    [start] = git("merge-base", base, "HEAD")
    return [
        *git("diff", "--name-only", "--diff-filter=d", start),
        *git("ls-files", "--others", "--exclude-standard"),
    ]


@functools.cache
def sources() -> dict[Path, str]:
    """Return the text of each test file."""
    return {path: path.read_text(encoding="utf-8") for path in sorted(TESTS.rglob("test_*.py"))}


def importers(path: Path) -> list[Path]:
    """Return the test files that import a module, or a helper of the tests."""
    *parents, name = path.with_suffix("").parts
    package = re.escape(".".join(parents))
    imported = rf"{package}\.{name}\b|from {package} import [^(\n]*\b{name}\b"
    if path.parts[0] == "tests":
        imported = rf"(?:import|from) {name}\b"
    return [each for each, text in sources().items() if re.search(imported, text)]


def mirror(path: Path) -> Path:
    """Return the folder of tests that mirrors a module's, or the nearest above it."""
    folder = TESTS.joinpath("core" if path.parts[0] == "fnprune_core" else "app", *path.parts[1:-1])
    while not folder.is_dir():
        folder = folder.parent
    return folder


def named_after(path: Path) -> list[Path]:
    """Return the test files named after a module, or after the page that it is of."""
    folder = mirror(path)
    for name in (re.sub("_(page|tasks)$", "", path.stem), *reversed(path.parts[1:-1])):
        if found := [*folder.glob(f"test_{name}.py"), *folder.glob(f"test_{name}_*.py")]:
            return found
    return []


def tests_of(name: str) -> set[Path]:
    """Return the files or folders of tests that a changed file asks for."""
    path = Path(name)
    if path.suffix != ".py" or path.parts[0] not in ("tests", "app", "fnprune_core"):
        return set()
    if path.name.startswith("test_"):
        return {ROOT / path}
    if path.name == "conftest.py":
        return {(ROOT / path).parent}
    found = importers(path)
    if path.parts[0] == "tests":
        return set(found)
    return {*named_after(path), *(found if len(found) <= FEW else ())} or {mirror(path)}


if __name__ == "__main__":
    files = {path for name in changed("main") for path in tests_of(name)}
    names = {*ALWAYS, *(path.relative_to(ROOT).as_posix() for path in files)}
    sys.stdout.write(" ".join(sorted(names)))
