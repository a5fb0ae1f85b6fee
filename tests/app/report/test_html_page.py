"""The report as one file: whole, linked, safe; and the command that writes it."""

import json
import re
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner
from written_report import EVIL, N_NETWORKS, reported

from app import cli as app_cli
from app.figures.markup import signed
from app.report.figures import ALL
from fnprune_core.errors import SettingsError
from fnprune_core.report import sections
from fnprune_core.report.plans import perplexity_table


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> SimpleNamespace:
    """A tiny model's atlas with plans, a perplexity, lesions, and a name that is markup."""
    return reported(tmp_path_factory.mktemp("report"))


def test_every_section_is_there_every_tag_is_closed_and_every_link_leads_somewhere(made) -> None:
    assert made.page.open == []
    named = [attrs["id"] for _, attrs in made.page.tags if "id" in attrs]
    ids = set(named)
    assert len(named) == len(ids)
    assert ids >= set(sections.SECTIONS)
    inside = [a["href"] for a in made.page.all("a") if a["href"].startswith("#")]
    assert inside
    assert all(href[1:] in ids for href in inside)
    shapes = [use["href"] for use in made.page.all("use")]
    assert shapes
    assert all(href[1:] in ids for href in shapes)
    assert len(made.page.all("article")) == 2


def test_nothing_is_loaded_and_no_script_is_there(made) -> None:
    for tag, attrs in made.page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        for name in ("src", "srcset", "data", "action", "poster", "background"):
            assert attrs.get(name, "data:").startswith("data:"), (tag, name)
        if tag != "a":
            assert attrs.get("href", "data:").startswith(("data:", "#")), tag
            assert attrs.get("clip-path", "url(#").startswith("url(#"), tag
        assert not [name for name in attrs if name.startswith("on")]
        assert "url(" not in attrs.get("style", "")
    (style,) = re.findall(r"<style>(.*?)</style>", made.text, flags=re.S)
    assert all(url.startswith("data:") for url in re.findall(r"url\((.*?)\)", style))
    (policy,) = [m["content"] for m in made.page.all("meta") if "default-src" in str(m)]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert EVIL in "".join(made.page.text)
    assert not [i for i in made.page.all("img") if "evil" in i["src"]]


def test_every_chart_says_what_it_shows_and_of_what(made) -> None:
    charts = [svg for svg in made.page.all("svg") if svg.get("class") == "chart"]
    assert all(chart["role"] == "img" for chart in charts)
    assert [chart["aria-label"] for chart in charts] == [
        "Share of each network's energy per token by domain",
        f"Matrix of r between {N_NETWORKS} networks",
        "Loss change of each lesion in each column",
        "Share of units that stay in each layer, by plan",
        "nats per token above dense, ± 1 SE",
    ]
    (text,) = made.m.texts()
    told = "".join(made.page.text)
    for row in perplexity_table(made.m, text).dropna(subset="difference").itertuples():
        assert (
            f"{ALL}, {row.model}: {signed(row.difference, '+.4f')} (no interval)" in told
        )  # 2 documents


def run(*arguments: str):
    typer_app = typer.Typer()
    app_cli.register(typer_app)
    return CliRunner().invoke(typer_app, ["report", *arguments])


def test_the_command_writes_the_file_and_says_what_is_in_it(made, tmp_path) -> None:
    target = tmp_path / "deep" / "report.html"
    done = run(
        made.atlas[:6], str(target), "--leave-out", "networks,connectome,plans,lesions",
        "-w", str(made.where), "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["path"] == str(target)
    assert told["bytes"] == target.stat().st_size
    left = [name for name in sections.SECTIONS if name not in told["sections"]]
    assert left == ["networks", "connectome", "lesions", "plans"]
    assert [path.name for path in target.parent.iterdir()] == ["report.html"]
    assert isinstance(run(made.atlas, "--sections", "poems").exception, SettingsError)
