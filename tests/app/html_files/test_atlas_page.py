"""The atlas as one file: whole, safe, without a request, small; and the command that writes it."""

import base64
import gzip
import hashlib
import json
import re
import shutil
import warnings
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import tiny
import typer
from typer.testing import CliRunner

from app import cli
from app.figures.markup import visible
from app.html_files import atlas_page as atlas_html
from app.html_files.atlas_facts import AtlasFacts
from app.html_files.atlas_page import atlas_page, write_atlas_page
from fnprune_core.assets import asset
from fnprune_core.atlas import cortex, files, network_atlas
from fnprune_core.atlas.annotation_files import Annotation
from fnprune_core.atlas.annotations import annotate
from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import ArtifactNotFoundError, NotConvergedWarning, SettingsError
from fnprune_core.matching import dual_regression
from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.reliability import assess
from fnprune_core.storage.checksums import seal
from fnprune_core.storage.workspace import Workspace

EVIL = '</script><script>alert(1)</script><img src=//evil.x onerror=a()>"'
HIDDEN = "\u202e\x1b"
N_NETWORKS = 4


class Page(HTMLParser):
    """What a browser would load and run, and what it would show."""

    VOID = frozenset({"meta", "img", "source", "rect", "input", "link", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)
        else:
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An atlas of a tiny model whose tokens, documents and names are markup."""
    workspace = Workspace(tmp_path_factory.mktemp("atlas") / "workspace")
    documents = tiny.toy_documents(n_per_domain=3, n_words=80)
    recording = record.record_texts(
        workspace,
        tiny.tiny_language_model("Llama"),
        documents,
        settings=RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=None),
    )
    path = workspace.folder("recordings", recording) / "tokens.parquet"
    tokens = pd.read_parquet(path)
    common = tokens["text"].value_counts().index[0]
    tokens["text"] = tokens["text"].astype(str).where(tokens["text"] != common, EVIL + HIDDEN)
    tokens["document"] = pd.Categorical([f"{EVIL} {HIDDEN}{d}" for d in tokens["document"]])
    tokens["domain"] = tokens["domain"].cat.rename_categories(lambda name: f"{name}{HIDDEN}")
    tokens.to_parquet(path, index=False)
    seal(path.parent)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        settings = GroupICA(n_components=N_NETWORKS, n_runs=1, max_iter=60)
        atlas = group_ica.decompose(workspace, recording, settings=settings)
    said = Annotation(name=f"'{EVIL}", note=f"<b>{EVIL}", tags=("<i>tag</i>",))
    annotate(workspace, network_atlas.open_atlas(workspace, atlas), 1, said)
    text = atlas_page(workspace, atlas, z=1.5)
    return SimpleNamespace(workspace=workspace, atlas=atlas, text=text, page=Page(text))


def test_every_tag_is_closed_and_every_network_is_there(made) -> None:
    assert made.page.open == []
    articles = [a["id"] for a in made.page.all("article")]
    assert articles == [f"network-{k}" for k in range(N_NETWORKS)]
    ids = {attrs["id"] for _, attrs in made.page.tags if "id" in attrs}
    linked = {a["href"] for a in made.page.all("a")}
    assert linked >= {f"#network-{k}" for k in range(N_NETWORKS)}
    assert all(href.startswith("#") and href[1:] in ids for href in linked)
    tiles = [li for li in made.page.all("li") if "data-network" in li]
    assert [li["data-network"] for li in tiles] == [str(k) for k in range(N_NETWORKS)]
    assert made.atlas in "".join(made.page.text)


def test_nothing_is_loaded_from_outside(made) -> None:
    for tag, attrs in made.page.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        for name in ("src", "srcset", "data", "action", "poster", "background"):
            assert attrs.get(name, "data:").startswith("data:"), (tag, name)
        assert attrs.get("href", "#").startswith("#")
        assert not [name for name in attrs if name.startswith("on")]
        assert "url(" not in attrs.get("style", "")
    (style,) = re.findall(r"<style>(.*?)</style>", made.text, flags=re.S)
    assert all(url.startswith("data:") for url in re.findall(r"url\((.*?)\)", style))
    assert "@import" not in style


@pytest.fixture(scope="module")
def placed(made, tmp_path_factory):
    """The same atlas with its cortex laid out."""
    root = tmp_path_factory.mktemp("placed") / "workspace"
    shutil.copytree(made.workspace.root, root)
    workspace = Workspace(root)
    cortex.lay_out(workspace, made.atlas)
    text = atlas_page(workspace, made.atlas, z=1.5)
    return SimpleNamespace(workspace=workspace, atlas=made.atlas, text=text, page=Page(text))


@pytest.mark.parametrize(("which", "n_scripts"), [("made", 1), ("placed", 2)])
def test_only_its_own_scripts_may_run(request, which, n_scripts) -> None:
    page = request.getfixturevalue(which).page
    scripts = [text for attrs, text in page.scripts if attrs.get("type") is None]
    assert len(scripts) == n_scripts
    (policy,) = [m["content"] for m in page.all("meta") if "content-security" in str(m).lower()]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "data:"
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert rules["script-src"].split() == [f"'sha256-{digest}'" for digest in digests]


def test_markup_in_tokens_documents_and_names_is_text(made) -> None:
    shown = "".join(made.page.text)
    assert shown.count(EVIL) > 5  # passages, top tokens, documents, the name, the note
    assert f"<b>{EVIL}" in shown
    assert "<i>tag</i>" in shown
    assert not [i for i in made.page.all("img") if not i["src"].startswith("data:image/png")]
    (held,) = [text for attrs, text in made.page.scripts if attrs.get("type")]
    assert "<" not in held
    names = json.loads(held)["names"]
    assert len(names) == N_NETWORKS
    assert any(EVIL in name for name in names)


def test_what_reorders_or_hides_text_is_shown_as_its_code(made) -> None:
    """A right-to-left override in a token turned the line around it in the page."""
    written = [*made.page.text, *(v for _, attrs in made.page.tags for v in attrs.values())]
    for attrs, text in made.page.scripts:
        if attrs.get("type") == "application/json":
            written += [str(json.loads(text))]
    found = "".join(written)
    assert not set(HIDDEN) & set(found)
    assert found.count(visible(HIDDEN)) > 5


def test_method_is_that_of_an_applied_atlas_or_of_scaled_sessions(made, tmp_path) -> None:
    root = tmp_path / "workspace"
    shutil.copytree(made.workspace.root, root)
    workspace = Workspace(root)
    recording = network_atlas.open_atlas(workspace, made.atlas).decomposition.recording_id
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        settings = GroupICA(n_components=N_NETWORKS, n_runs=1, max_iter=5, normalize="session")
        by_session = group_ica.decompose(workspace, recording, settings=settings)
    applied = dual_regression.apply_atlas(workspace, by_session, recording)
    found, shown = (
        AtlasFacts(workspace, network_atlas.open_atlas(workspace, id), threshold=2.0).page()
        for id in (by_session, applied)
    )
    assert all("scaled within each session." in page["method"][0] for page in (found, shown))
    assert "runs converged" in found["method"][1]
    assert f"Applied from atlas {by_session}" in shown["method"][1]
    assert "no ICA on these texts" in shown["method"][1]
    assert not re.search(r"runs converged|spatial ICA", str(shown["method"]))
    assert "found in" not in shown["summary"]


def test_parts_of_a_text_are_counted_as_one_document(made) -> None:
    atlas = network_atlas.open_atlas(made.workspace, made.atlas)
    tokens = atlas.tokens.copy()
    tokens["document"] = [f"a text, part {code + 1}" for code in tokens["document"].cat.codes]
    facts = AtlasFacts(made.workspace, NetworkAtlas(atlas.decomposition, tokens), threshold=2.0)
    assert [row[3] for row in facts.page()["texts"]] == ["1", "1"]


def test_two_writers_of_one_file_do_not_break_each_other(made, tmp_path, monkeypatch) -> None:
    target, rename, waiting = tmp_path / "atlas.html", Path.replace, [True]
    monkeypatch.setattr(atlas_html, "atlas_page", lambda *_, **__: "a page")

    def late(self, other):
        if waiting.pop() if waiting else False:  # another one writes it meanwhile
            write_atlas_page(made.workspace, made.atlas, target)
        return rename(self, other)

    monkeypatch.setattr(Path, "replace", late)
    write_atlas_page(made.workspace, made.atlas, target)
    assert target.read_text(encoding="utf-8") == "a page"
    assert [path.name for path in tmp_path.iterdir()] == ["atlas.html"]


def test_both_modes_have_their_pictures(made, placed) -> None:
    images, sources = made.page.all("img"), made.page.all("source")
    assert len(images) == len(sources) == 2 * N_NETWORKS + 2
    assert {s["media"] for s in sources} == {"(prefers-color-scheme: dark)"}
    assert all(i["src"] != s["srcset"] for i, s in zip(images, sources, strict=True))
    film = [i["src"] for i in placed.page.all("img") if i["src"].startswith("data:image/webp")]
    assert len(set(film)) == len(film) == 2 * N_NETWORKS + 1  # the body has film in both
    assert len(placed.page.all("source")) == 1  # the matrix


def test_the_viewer_is_inside_once_and_the_rest_is_small(made, placed) -> None:
    libraries = [text for _, text in placed.page.scripts if len(text) > 2_000_000]
    assert len(libraries) == 1
    assert libraries[0] == asset("static/niivue/niivue.umd.js").read_text(encoding="utf-8")
    assert len(placed.text) - len(libraries[0]) < 900_000
    assert len(made.text) < 600_000
    assert not re.search("plotly", made.text + placed.text, re.I)


def image_of(address: str) -> nib.Nifti1Image:
    kind, _, content = address.partition(";base64,")
    assert kind == "data:application/gzip"
    return nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(content)))


def test_every_map_is_inside_and_has_the_units_values(placed) -> None:
    held = next(text for a, text in placed.page.scripts if a.get("id") == "held-body")
    told = json.loads(held)
    atlas = network_atlas.open_atlas(placed.workspace, placed.atlas)
    grid = files.open_grid(placed.workspace, atlas)
    assert len(told["networks"]) == N_NETWORKS
    for z, network in zip(atlas.maps, told["networks"], strict=True):
        (overlay,) = network["overlays"]
        image = image_of(overlay["url"])
        assert np.allclose(image.affine, grid.affine)
        found = grid.values(image.get_fdata())
        step = max(np.abs(z).max() / 127, 0.1)
        is_fine = np.abs(z) >= 1.5
        assert np.abs(found - z)[is_fine].max() <= step / 2 + 1e-6
        assert np.abs(found - z).max() <= 0.25 + step / 2
        assert network["alternative"].startswith("Network ")
    grey = image_of(told["shared"]["anatomy"])
    assert np.allclose(np.diag(grey.affine), np.diag(grid.affine))
    assert grey.get_fdata().max() > 150


def test_the_file_says_that_places_are_ours(made, placed) -> None:
    assert (
        "".join(placed.page.text).count("Units have no place of their own: the layout is computed")
        == 1
    )
    assert "the layout is computed" not in "".join(made.page.text)  # layers × units have no places


def test_trust_numbers_are_in_if_they_were_measured(made, monkeypatch) -> None:
    columns = pd.DataFrame({"reproducibility": [0.11, 0.22, 0.33, np.nan]})
    found = SimpleNamespace(columns=lambda: columns)
    monkeypatch.setattr(assess, "assessment_ids", lambda *_: {"split_half": "x"})
    monkeypatch.setattr(assess, "open_assessment", lambda *_: found)
    shown = "".join(Page(atlas_page(made.workspace, made.atlas)).text)
    assert "Split-half |r|" in shown
    assert shown.count("0.22") >= 2  # in the table and beside the network
    assert not re.search(r"\bnan\b", shown)


def run(*arguments: str):
    commands = typer.Typer()
    cli.register(commands)
    return CliRunner().invoke(commands, ["atlas", *arguments])


def test_the_command_writes_the_file_and_says_where_and_how_large(made, tmp_path) -> None:
    target = tmp_path / "deep" / "atlas.html"
    done = run(made.atlas[:6], str(target), "--z", "1.5", "-w", str(made.workspace.root), "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told == {"path": str(target), "bytes": target.stat().st_size}
    assert target.read_text(encoding="utf-8") == made.text
    assert [path.name for path in target.parent.iterdir()] == ["atlas.html"]


def test_a_folder_a_missing_atlas_and_a_stop_are_told(made, tmp_path) -> None:
    with pytest.raises(SettingsError, match="is a folder"):
        write_atlas_page(made.workspace, made.atlas, tmp_path)
    with pytest.raises(ArtifactNotFoundError):
        write_atlas_page(made.workspace, "0" * 16, tmp_path / "a.html")
    with pytest.raises(SettingsError, match="above 0"):
        write_atlas_page(made.workspace, made.atlas, tmp_path / "a.html", z=0.0)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        write_atlas_page(made.workspace, made.atlas, tmp_path / "a.html", cancel=token)
    assert not (tmp_path / "a.html").exists()
