"""The wheel alone, in a new environment: the app's first page looks as it does from the repo."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from browsing import ROOT, opened, serving

pytestmark = pytest.mark.browser
NOT_SHIPPED = (".git", ".venv", "build", "dist", "docs", "tests", "*.egg-info", ".*_cache")


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """A new environment with the wheel, and the packages that it needs, but not the repo."""
    folder = tmp_path_factory.mktemp("wheel")
    # Built from a copy: a build leaves folders behind.
    source = shutil.copytree(
        ROOT, folder / "source", symlinks=True, ignore=shutil.ignore_patterns(*NOT_SHIPPED)
    )
    python = folder / "environment" / "bin" / "python"
    for command in (
        (sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(source)),
        (sys.executable, "-m", "venv", "--without-pip", str(python.parents[1])),
    ):
        subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(source)
    [wheel] = folder.glob("*.whl")
    install = (sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps")
    subprocess.run((*install, str(wheel)), check=True, capture_output=True)
    [packages] = python.parents[1].glob("lib/python*/site-packages")
    # A path in a .pth file lends the packages; that folder's own .pth files, and so the repo,
    # are not read.
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib"))
    (packages / "app.py").write_text("FOREIGN = True\n")  # as other people's programs have one
    return python.parents[1]


def test_the_wheel_brings_one_package_and_each_file_once(environment, tmp_path) -> None:
    """It brought a top-level package `app`, and fonts and scripts twice."""
    [record] = environment.rglob("fnprune-*.dist-info/RECORD")
    names = [line.partition(",")[0] for line in record.read_text().splitlines()]
    tops = {name.partition("/")[0] for name in names if not name.startswith("..")}
    assert tops == {"fnprune_core", record.parent.name}
    for name in ("niivue.umd.js", "ibm-plex-sans-latin-400-normal.woff2", "icon.png"):
        assert len([each for each in names if each.endswith(f"/{name}")]) == 1
    assert not [name for name in names if "/pictures/" in name]

    code = (
        "import app; assert app.FOREIGN; import fnprune_core.cli; "
        "from fnprune_core.assets import asset; assert asset('static/icon.png').is_file(); "
        "print(fnprune_core.__file__)"
    )
    found = subprocess.run(
        (str(environment / "bin" / "python"), "-c", code),
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    assert found.startswith(str(environment))


def test_the_first_page_of_the_wheel(environment, tmp_path, need_chromium) -> None:
    (tmp_path / "app").mkdir()  # the folder that a person works in may have one, too
    (tmp_path / "app" / "__init__.py").write_text("raise RuntimeError")
    fnprune = str(environment / "bin" / "fnprune")

    def command(port: int) -> list[str]:
        return [fnprune, "app", f"--port={port}", f"--workspace={tmp_path / 'workspace'}"]

    with (
        serving(command, cwd=tmp_path, log=tmp_path / "log", PYTHONPATH="") as url,
        opened(need_chromium, url) as person,
    ):
        person.open("/")
        person.read("fnprune")
        look = person.driver.execute_script("""
            const style = getComputedStyle(document.querySelector('[data-testid=stApp]'))
            return [style.backgroundColor, style.fontFamily,
                    [...document.fonts].filter((font) => font.status == 'loaded').length]
        """)
        assert look[0] == "rgb(12, 13, 15)"
        assert look[1].startswith('"IBM Plex Sans"')
        assert look[2] >= 2
        assert "Deploy" not in person.text()
        assert not person.errors()
