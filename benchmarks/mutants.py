"""Break chosen lines one by one, and see which tests notice.

Run: ``python benchmarks/mutants.py [--only NAME …]``. Each mutant of ``mutants.toml`` changes one
line of a copy of the repository: a sign, an offset, a degree of freedom, an escape, a checksum. Its
tests run in that copy; a mutant that they do not notice is a fact that no test holds. The goal is
that all are noticed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("fnprune_core", "app", "assets", "benchmarks", "docs", "examples", "tests", ".streamlit")
FILES = ("pyproject.toml", "requirements.txt", "README.md", "Makefile", "CHANGELOG.md")


def mutants() -> list[dict[str, Any]]:
    """Return the rows of ``mutants.toml``: name, file, before, after, tests."""
    rows: list[dict[str, Any]] = tomllib.loads(
        (ROOT / "benchmarks/mutants.toml").read_text(encoding="utf-8")
    )["mutant"]
    return rows


def broken(source: str, mutant: dict[str, Any]) -> str:
    """Return a file's text with the mutant's line broken.

    Raises
    ------
    ValueError
        If the line does not occur exactly once: it has changed, and the row must follow.
    """
    n = source.count(mutant["before"])
    if n != 1:
        raise ValueError(f"{mutant['name']}: its line occurs {n} times in {mutant['file']}.")
    return source.replace(mutant["before"], mutant["after"])


def copied(target: Path) -> None:
    """Copy what tests need to a folder."""
    for name in FOLDERS:
        shutil.copytree(
            ROOT / name, target / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in FILES:
        shutil.copy2(ROOT / name, target / name)


def first_failure(folder: Path, tests: list[str]) -> str:
    """Return the first test that fails in a folder, or an empty text where all pass."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    run = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if run.returncode == 0:
        return ""
    failed = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].split(" - ")[0] if failed else run.stdout[-300:] + run.stderr[-300:]


def main() -> int:
    """Run the mutants and print the table as JSON; exit with 1 where one went unnoticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="Names of mutants, or parts of them.")
    wanted = parser.parse_args().only
    rows = [row for row in mutants() if not wanted or any(part in row["name"] for part in wanted)]
    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copied(folder)
        for row in rows:
            path, started = folder / row["file"], time.monotonic()
            source = path.read_text(encoding="utf-8")
            path.write_text(broken(source, row), encoding="utf-8")
            noticed_by = first_failure(folder, row["tests"])
            path.write_text(source, encoding="utf-8")
            results[row["name"]] = {
                "noticed_by": noticed_by, "seconds": round(time.monotonic() - started, 1)
            }  # fmt: skip
            print(f"{'noticed' if noticed_by else 'SURVIVED'}  {row['name']}", file=sys.stderr)
    survivors = [name for name, row in results.items() if not row["noticed_by"]]
    summary = {"mutants": len(results), "noticed": len(results) - len(survivors)}
    print(json.dumps({**summary, "survivors": survivors, "results": results}, indent=1))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
