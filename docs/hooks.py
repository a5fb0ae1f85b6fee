"""Pages of the documentation that are made from the code: the command line and the Python API."""

import ast
import html
from pathlib import Path

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.cli import get_docs_for_click

from fnprune_core.cli import build_cli

ROOT = Path(__file__).parents[1]
CORE = ROOT / "fnprune_core"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and the pictures and fonts of `assets`."""
    files.append(File.generated(config, "reference/cli.md", content=command_line()))
    files.append(File.generated(config, "reference/api.md", content=api()))
    for folder, pattern in (("pictures", "*"), ("static", "**/*")):
        for path in sorted((ROOT / "assets" / folder).glob(pattern)):
            if path.is_file():
                name = path.relative_to(ROOT / "assets" / folder).as_posix()
                target = f"assets/{folder}/{name}" if folder == "pictures" else f"assets/{name}"
                files.append(File.generated(config, target, abs_src_path=str(path)))
    return files


def command_line() -> str:
    """Return every command with its options, as typer writes them."""
    command = build_cli()
    text = get_docs_for_click(
        obj=command, ctx=typer.Context(command), name="fnprune", title="Command line"
    )
    return html.unescape(text)


def api() -> str:
    """Return the modules of the core by package, from the bottom layer to the top."""
    packages = [path for path in sorted(CORE.iterdir()) if (path / "__init__.py").is_file()]
    lines = [
        "# Python",
        "",
        "Names are imported from the module that defines them. The packages, from the lowest:",
        "",
    ]
    for package in sorted(packages, key=_layer):
        lines += [f"## {package.name}", "", _docstring(package / "__init__.py"), ""]
        for module in sorted(package.glob("*.py")):
            if module.name != "__init__.py":
                lines += [f"::: fnprune_core.{package.name}.{module.stem}", ""]
    lines += ["## Modules of the core itself", ""]
    for name in ("workflows", "storage", "progress", "errors", "assets"):
        lines += [f"::: fnprune_core.{name}", ""]
    return "\n".join(lines)


_ORDER = (
    "texts", "models", "recording", "decomposition", "atlas", "scores", "plans", "matching",
    "reliability", "teaching", "evaluation", "localizers", "pruning", "lesions", "export",
    "report", "commands",
)  # fmt: skip


def _layer(package: Path) -> int:
    return _ORDER.index(package.name) if package.name in _ORDER else len(_ORDER)


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
