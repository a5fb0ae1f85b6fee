"""The report: what it says is what the artifacts hold, its commands make them again, it is safe."""

import base64
import io
import json
import re
import shlex
import shutil
import warnings
import zipfile
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tiny
import typer
from typer.testing import CliRunner

from app import cli as app_cli
from app.report.figures import ALL
from app.report.html_page import report_page, write_report
from fnprune_core import cli
from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.annotation_files import Annotation
from fnprune_core.atlas.annotations import annotate
from fnprune_core.errors import (
    ArtifactNotFoundError,
    CorruptArtifactError,
    NotConvergedWarning,
    SettingsError,
)
from fnprune_core.evaluation import compare
from fnprune_core.evaluation.results import documents_of
from fnprune_core.lesions.run import LesionOrder, lesion_study
from fnprune_core.lesions.sites import Lesion, LesionSettings, domain_stimuli
from fnprune_core.matching import dual_regression
from fnprune_core.models.loading import load_model
from fnprune_core.reliability import assess
from fnprune_core.report import material, references, sections
from fnprune_core.report.commands import TEXTS, commands
from fnprune_core.report.methods import parameters
from fnprune_core.report.parts import Column, Table, cell
from fnprune_core.report.plans import perplexity_table
from fnprune_core.report.references import parted
from fnprune_core.report.sections import Row
from fnprune_core.storage import Workspace, read_manifest

EVIL = '</style><img src=//evil.x onerror=a()>"'
N_NETWORKS = 5


class Page(HTMLParser):
    """What a browser would load, and the cells of the tables."""

    VOID = frozenset({"meta", "img", "image", "rect", "line", "circle", "polyline", "link", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._table = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self._table = dict(attrs)["data-table"]
            self.tables[self._table] = []
        if tag == "tr" and "tbody" in self.open:
            self.tables[self._table].append([])
        if tag == "td":
            self.tables[self._table][-1].append("")

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.tables[self._table][-1][-1] += data
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]


def command(line: str, root) -> dict:
    """Run a command line of ours in this process; return what it prints as JSON."""
    words = shlex.split(line, comments=True)
    assert words[0] == "fnprune"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        done = CliRunner().invoke(cli.cli, [*words[1:], "--json", "--workspace", str(root)])
    assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception!r}"
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A tiny model's atlas with plans, a perplexity, lesions, and a name that is markup."""
    root = tmp_path_factory.mktemp("report")
    folder, texts = root / "tiny-llama", root / "texts.jsonl"
    tiny.tiny_model("Llama").save_pretrained(folder)
    tiny.toy_tokenizer().save_pretrained(folder)
    documents = tiny.toy_documents(n_per_domain=4, n_words=130)
    held_out = [*documents[3:4], *documents[7:8]]
    for path, chosen in (
        (texts, [d for d in documents if d not in held_out]),
        (root / "held-out.jsonl", held_out),
    ):
        rows = [json.dumps({"text": d.text, "topic": d.domain, "id": d.name}) for d in chosen]
        path.write_text("\n".join(rows))
    columns = " --domain-column topic --document-column id"
    where, model = root / "workspace", f" --model {folder} --dtype float32"
    recording = command(
        f"fnprune record {texts}{columns} --window 32 --n-dummy-tokens 2 --max-tokens 512 "
        f"--seed 3{model}",
        where,
    )["id"]
    atlas = command(f"fnprune decompose {recording} --k {N_NETWORKS} --runs 2", where)["id"]
    energy, chance = (
        command(f"fnprune plan {recording} {options}{model}", where)["id"]
        for options in (
            f"-d {atlas} --ratio 0.3 --drop 1,3 --keep-units 0:3 --sink-units 2",
            "--ratio 0.2 --score random --seed 5 --compensation bias --allocation uniform",
        )
    )
    command(
        f"fnprune evaluate {root / 'held-out.jsonl'}{columns} --plan {energy} --plan {chance} "
        f"--window 16{model}",
        where,
    )
    workspace = Workspace(where)
    opened = network_atlas.open_atlas(workspace, atlas)
    annotate(workspace, opened, 1, Annotation(name=f"'{EVIL}", note=EVIL, tags=("=1+1",)))
    language_model = load_model(str(folder), dtype="float32")
    windows = compare.evaluation_windows(language_model, held_out, window=16)
    lesion_study(
        workspace,
        language_model,
        domain_stimuli(windows),
        order=LesionOrder(
            decomposition_id=atlas,
            lesions=(Lesion(networks=(0,)), Lesion(networks=(1,)), Lesion(networks=(0, 2))),
            settings=LesionSettings(z=1.5, n_random=2, sink_units=1),
        ),
    )
    settings = {"z": 1.5, "n_detailed": 2}
    m = material.open_material(workspace, atlas, **settings)
    text = report_page(m)
    return SimpleNamespace(
        root=root, workspace=workspace, atlas=atlas, plans=(energy, chance), m=m, text=text,
        page=Page(text), texts=texts, columns=columns, where=where,
    )  # fmt: skip


def archive_of(page: Page) -> zipfile.ZipFile:
    (link,) = [a for a in page.all("a") if "download" in a]
    kind, _, encoded = link["href"].partition(",")
    assert kind == "data:application/zip;base64"
    return zipfile.ZipFile(io.BytesIO(base64.b64decode(encoded)))


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


def test_methods_hold_every_parameter_of_the_artifacts(made) -> None:
    told = "".join(made.page.text)
    table = {(row[0], row[1]): row[2] for row in made.page.tables["parameters"]}
    settings = made.m.manifest["settings"]
    for name, value in settings.items():
        assert table["decomposition", name] == ("the default" if value is None else str(value))
    assert table["recording", "text_sha256"] == made.m.recording["inputs"]["text_sha256"]
    windows = made.m.recording["windows"]
    for said in (
        f"looked for {N_NETWORKS} networks",
        f"seed {settings['seed']}",
        f"at most {settings['max_iter']} iterations",
        f"its {2 * N_NETWORKS} leading principal components",
        f"{windows['n_tokens']:,} tokens of 6 documents",
        f"{windows['n_windows']} windows of 32 tokens",
        "The first 2 tokens of a window",
        "shuffled 2,000 times",
    ):
        assert said in told, said
    versions = {(row[0], row[1]) for row in made.page.tables["versions"]}
    for name, version in read_manifest(made.workspace.folder("plans", made.plans[0]))[
        "versions"
    ].items():
        assert (name, version) in versions


def test_every_shown_table_is_its_csv_rounded(made) -> None:
    archive, tables = archive_of(made.page), {}
    for section in sections.write_sections(made.m):
        tables |= {table.name: table for table in section.tables}
    assert set(made.page.tables) == {name for name, table in tables.items() if table.columns}
    assert set(archive.namelist()) == {"README.txt", *(f"{name}.csv" for name in tables)}
    for name, rows in made.page.tables.items():
        raw = pd.read_csv(io.BytesIO(archive.read(f"{name}.csv")), dtype=str, keep_default_na=False)
        table = tables[name]
        assert len(raw) == len(table.frame)
        assert len(rows) == ((table.most and min(table.most, len(raw))) or len(raw))
        for column, shown in zip(table.columns, zip(*rows, strict=True), strict=True):
            form = table.columns[column].form
            is_number = pd.api.types.is_numeric_dtype(table.frame[column])
            for stored, cells in zip(raw[column], shown, strict=False):
                if stored == "":
                    assert cells in ("", "–")
                elif is_number:
                    value = float(stored) if form or "." in stored else int(stored)
                    assert cells == cell(value, form), (name, column)
                else:
                    assert cells == stored.removeprefix("'") or cells == stored


def test_plans_figures_are_those_of_the_stored_losses(made) -> None:
    rows = {row[0]: row for row in made.page.tables["perplexity"]}
    (text,) = made.m.texts()
    dense = made.m.all_plans.dense[text]
    assert rows["dense"][1] == f"{dense.perplexity:.2f}"
    for plan in made.m.plans:
        name = next(key for key in rows if plan.id[:6] in key)
        assert rows[name][1] == f"{plan.on(text).perplexity:.2f}"
        losses = [made.m.result(each.evaluation_id) for each in (plan.on(text), dense)]
        difference = (losses[0].nll_sum - losses[1].nll_sum) / losses[0].n_tokens
        assert rows[name][3] == cell(difference, "{:+.4f}")
        assert rows[name][5].endswith("blocks of windows")  # two documents are too few
    told = "".join(made.page.text)
    assert "errors over blocks of windows" in told


def test_the_commands_make_every_artifact_again(made, tmp_path) -> None:
    """Each line's comment is the id that the same line must print in an empty workspace."""
    made_again = []
    for line in commands(made.m):
        asked, _, id = line.partition("  # ")
        verb = asked.split()[1]
        if verb not in ("record", "decompose", "plan", "lesion"):
            continue
        source = made.texts if verb == "record" else made.root / "held-out.jsonl"
        asked = asked.replace(TEXTS, f"{source}{made.columns}")
        printed = command(asked, tmp_path)
        assert printed.get("id", printed.get("study")) == id, line
        made_again.append(verb)
    assert made_again == ["record", "decompose", "lesion", "plan", "plan"]
    (evaluate,) = [line for line in commands(made.m) if "evaluate" in line]
    asked = evaluate.replace(TEXTS, f"{made.root / 'held-out.jsonl'}{made.columns}")
    # An evaluation's id holds the bytes of what compensates, whose rounding may differ.
    measured = {row["plan"]: row["perplexity"] for row in command(asked, tmp_path)["rows"]}
    (text,) = made.m.texts()
    for plan in made.m.plans:
        assert measured[plan.id] == pytest.approx(plan.on(text).perplexity, rel=1e-3)


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
        shown = f"{ALL}, {row.model}: {row.difference:+.4f} ± {row.difference_error:.4f}"
        assert shown in told


def test_lesions_are_told_with_their_unit_and_correction(made) -> None:
    told = "".join(made.page.text)
    assert "paired t over blocks of windows" in told  # the unit, where there are random lesions
    assert "false discovery rate" in told
    shown = made.page.tables["lesions"]
    excess = [float(row[7].replace("−", "-")) for row in shown]
    assert excess == sorted(excess, reverse=True)
    assert len(shown) == 6  # three lesions, two domains


def test_what_is_missing_is_said_with_how_to_make_it(made) -> None:
    told = "".join(made.page.text)
    assert f"fnprune trust {made.atlas} --parts halves,seeds" in told
    assert "No localizer was run" in told
    lacking = dict(sections.lacks(made.m))
    assert {"Networks", "Trust", "Localizers"} == set(lacking)
    section = sections.write_sections(made.m, ["trust"])[0]
    assert section.missing[0] == lacking["Trust"]


def test_an_applied_atlas_is_told_as_what_it_is(made, tmp_path) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(made.where, root)
    workspace = Workspace(root)
    recording = made.m.atlas.decomposition.recording_id
    applied = dual_regression.apply_atlas(workspace, made.atlas, recording)
    m = material.open_material(workspace, applied, n_detailed=0)
    told = "".join(Page(report_page(m, ("methods", "networks", "limits", "reproduce"))).text)
    assert "There was no ICA on these texts" in told
    assert "runs from random starts" not in told
    assert f"fnprune apply {made.atlas} {recording}" in told


def test_trust_is_told_against_chance_once_it_is_measured(made, tmp_path) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(made.where, root)
    workspace = Workspace(root)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        assess.assess(workspace, made.atlas, parts=("halves", "gaussian"))
    m = material.open_material(workspace, made.atlas, n_detailed=0)
    page = Page(report_page(m, ("methods", "trust")))
    told = "".join(page.text)
    assert "3 times; each half was decomposed by itself" in told
    assert "one in twenty lies above it" in told
    rows = {row[0]: row for row in page.tables["nulls"]}
    assert rows["split-half r"][5] == f"{0.05 * N_NETWORKS:.1f}"  # that many by chance
    assert "seeds" in page.text[-1] or "Not measured: other random starts" in told


def test_damage_is_told_with_the_section_and_a_way_out(made, tmp_path) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(made.where, root)
    workspace = Workspace(root)
    (id,) = workspace.ids("lesions")
    (root / "lesions" / id / "losses.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CorruptArtifactError, match="The section 'Lesions' cannot be written") as e:
        write_report(workspace, made.atlas, tmp_path / "report.html")
    assert "leave the section 'lesions' out" in e.value.hint
    assert not (tmp_path / "report.html").exists()
    settings = sections.ReportSettings(sections=("methods", "limits"), n_detailed=0)
    assert write_report(workspace, made.atlas, tmp_path / "report.html", settings=settings)
    (root / "decompositions" / made.atlas / "decomposition.safetensors").unlink()
    with pytest.raises(CorruptArtifactError, match="missing or damaged"):
        write_report(workspace, made.atlas, tmp_path / "again.html")
    with pytest.raises(ArtifactNotFoundError):
        write_report(workspace, "nothing", tmp_path / "again.html")


def test_sections_numbers_and_targets_out_of_range_are_refused(made, tmp_path) -> None:
    with pytest.raises(SettingsError, match="poems is no section"):
        sections.ReportSettings(sections=("methods", "poems"))
    with pytest.raises(SettingsError, match="Nothing is no section"):
        sections.ReportSettings(sections=())
    for wrong in ({"z": 0.0}, {"n_detailed": -1}):
        with pytest.raises(SettingsError):
            sections.ReportSettings(**wrong)
    with pytest.raises(SettingsError, match="is a folder"):
        write_report(made.workspace, made.atlas, tmp_path)
    settings = sections.ReportSettings(sections=("limits", "methods"))
    assert settings.sections == ("methods", "limits")  # in the order of the report


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


def test_references_are_whole_and_only_those_named_are_listed(made) -> None:
    for key, each in references.REFERENCES.items():
        assert each.line()
        entry = each.entry(key)
        assert entry.count("{") == entry.count("}")
        assert each.short[-4:].isdecimal()
    assert parted("as {himberg2004} say {not a key}") == [
        ("as ", ""), ("Himberg et al. 2004", "himberg2004"), (" say {not a key}", ""),
    ]  # fmt: skip
    listed = [li["id"] for li in made.page.all("li") if li.get("id", "").startswith("ref-")]
    named = {a["href"][1:] for a in made.page.all("a") if a["href"].startswith("#ref-")}
    assert set(listed) == named
    with pytest.raises(KeyError):
        references.cited(["{nobody1999}"])


def test_cells_and_tables_keep_their_promises() -> None:
    assert [cell(v, "{:.2f}") for v in (1.005, -0.5, np.nan, None)] == ["1.00", "−0.50", "–", "–"]
    assert cell(np.int64(12345)) == "12,345"
    frame = pd.DataFrame({"name": ["=SUM(A1)", "b"], "x": [1.23456789, -2.0]})
    table = Table(name="t", title="T", frame=frame, columns={"x": Column(title="X")}, most=1)
    assert table.n_hidden == 1
    assert table.rows() == [["1.23456789"]]
    assert table.csv().splitlines()[1] == "'=SUM(A1),1.23456789"
    with pytest.raises(ValueError, match="no column 'y'"):
        Table(name="t", title="T", frame=frame, columns={"y": Column(title="Y")})


def test_each_section_is_one_row(made) -> None:
    for key, row in sections.SECTIONS.items():
        assert isinstance(row, Row)
        assert row.write(made.m).key == key
        assert row.write(made.m).title == row.title


def test_parameters_are_told_once(made) -> None:
    table = parameters(made.m)
    assert not table.duplicated(["of", "parameter"]).any()


def test_parts_of_one_text_are_one_document_for_perplexity_too() -> None:
    """Windows of "X, part 1" and "X, part 2" were two documents, and errors too small."""
    windows = tiny.toy_windows(n_documents=4)
    named = type(windows)(
        **{
            field: getattr(windows, field)
            for field in ("token_ids", "starts", "document_index", "domain_index",
                          "domain_names", "window", "n_dummy_tokens")
        },
        document_names=("X, part 1", "X, part 2", "Y", "Z"),
    )  # fmt: skip
    assert len(np.unique(documents_of(named))) == 3
