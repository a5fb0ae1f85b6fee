"""A report read as a browser would, and the command line that makes what it tells of."""

import json
import shlex
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import tiny
from typer.testing import CliRunner

from app.report.html_page import report_page
from fnprune_core import cli
from fnprune_core.atlas import network_atlas
from fnprune_core.atlas.annotation_files import Annotation
from fnprune_core.atlas.annotations import annotate
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.evaluation import compare
from fnprune_core.lesions.order import LesionOrder
from fnprune_core.lesions.run import lesion_study
from fnprune_core.lesions.sites import Lesion, LesionSettings, domain_stimuli
from fnprune_core.models.loading import load_model
from fnprune_core.report import material
from fnprune_core.storage.workspace import Workspace

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


def reported(root: Path) -> SimpleNamespace:
    """A tiny model's atlas with plans, a perplexity, lesions, and a name that is markup."""
    folder, texts = root / "tiny-llama", root / "texts.jsonl"
    tiny.tiny_model("Llama").save_pretrained(folder)
    tiny.toy_tokenizer().save_pretrained(folder)
    documents = tiny.toy_documents(n_per_domain=4, n_words=130)
    held_out = [*documents[3:4], *documents[7:8]]
    others = [
        replace(d, text=" ".join(reversed(d.text.split())), name=f"other {d.name}")
        for d in tiny.toy_documents(n_per_domain=5, n_words=40)
    ]
    for path, chosen in (
        (texts, [d for d in documents if d not in held_out]),
        (root / "held-out.jsonl", held_out),
        (root / "lesions.jsonl", others),
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
    windows = compare.evaluation_windows(language_model, others, window=16)
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
