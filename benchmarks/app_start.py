"""How long the app takes to show its first page, and what it holds when idle.

Run: ``python benchmarks/app_start.py`` with Chromium and its driver installed. The example must
have been built (``make example``). Starts the server, opens the first page in headless
Chromium and waits until the script has run and a picture stands there.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from typing import Any

import psutil
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    "--headless=new --no-sandbox --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-quic --use-angle=swiftshader "
    "--enable-unsafe-swiftshader --window-size=1280,900"
)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_healthy(port: int, *, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    url = f"http://127.0.0.1:{port}/_stcore/health"
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"The server did not answer within {limit_s} s.")


def _resident_bytes(pid: int) -> int:
    parent = psutil.Process(pid)
    return sum(process.memory_info().rss for process in (parent, *parent.children(recursive=True)))


def measure() -> dict[str, Any]:
    """Return seconds to the first page and resident memory, in a browser already running."""
    port = _free_port()
    options = Options()
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or "chromium"
    with tempfile.TemporaryDirectory() as profile:
        options.add_argument(f"--user-data-dir={profile}")
        browser = webdriver.Chrome(
            options=options, service=Service(shutil.which("chromedriver") or "chromedriver")
        )
        start = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ,
        )
        try:
            _wait_healthy(port, limit_s=60)
            healthy = time.perf_counter() - start
            browser.get(f"http://127.0.0.1:{port}/")
            ready = (
                "const app = document.querySelector('[data-testid=\"stApp\"]');"
                "return app && app.getAttribute('data-test-script-state') === 'notRunning'"
                " && document.querySelectorAll('h1, h2').length > 0;"
            )
            WebDriverWait(browser, 60, poll_frequency=0.05).until(
                lambda driver: driver.execute_script(ready)
            )
            shown = time.perf_counter() - start
            time.sleep(10)
            idle = _resident_bytes(server.pid)
        finally:
            browser.quit()
            server.terminate()
            server.wait(timeout=20)
    return {"server_s": healthy, "first_page_s": shown, "idle_bytes": idle}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure()
    if options.json:
        print(json.dumps(result, indent=1))
        return
    print(f"  {'server answers after':28s} {result['server_s']:8.1f} s")
    print(f"  {'first page shown after':28s} {result['first_page_s']:8.1f} s")
    print(f"  {'resident when idle':28s} {result['idle_bytes'] / 1e9:8.2f} GB")


if __name__ == "__main__":
    main()
