"""Readers, the command line and the app, each with what it is given and the bounds it has to keep.

A reader must end in an `FnpruneError`, or in a result that holds what its target checks of it.
"""

import contextlib
import gzip
import io
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from hostile_inputs import Materials, damaged, json_files, tensor_files
from hypothesis import strategies as st

from fnprune_core.atlas import annotation_files
from fnprune_core.atlas.files import open_grid
from fnprune_core.atlas.images import volumes
from fnprune_core.atlas.network_atlas import open_atlas
from fnprune_core.commands.options import numbers_in, shares_in, units_in
from fnprune_core.errors import FnpruneError
from fnprune_core.export.gguf.files import write_gguf
from fnprune_core.inputs.files import file_name
from fnprune_core.localizers.stimuli import read_localizer
from fnprune_core.models.layout import UnitLayout
from fnprune_core.models.loading import load_model
from fnprune_core.plans.plan import PruningPlan
from fnprune_core.pruning import importing
from fnprune_core.storage.workspace import Workspace
from fnprune_core.texts.documents import read_documents


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A reader, what it is given, and the bounds it has to keep.

    Parameters
    ----------
    attempts : strategy
        Of what `read` takes.
    read : callable
        Raises `FnpruneError` where the input is refused; asserts what a result must hold.
    most_s : float
        Seconds of one attempt on a machine that others use, too.
    most_bytes : int
        Memory that one attempt may need above what the process had.
    """

    attempts: st.SearchStrategy[Any]
    read: Callable[[Any], None]
    most_s: float = 5.0
    most_bytes: int = 200_000_000


# Readers of texts


def text_targets(made: Materials) -> dict[str, Target]:
    """Return the readers of documents, names, localizers and lists on the command line."""
    rows = [{"text": "some words", "kind": "a", "n": 1}, {"text": "été 🜁", "kind": None, "n": 2}]
    lines = st.lists(json_files(rows), min_size=1, max_size=4).map(b"\n".join)
    honest_csv = b'text,kind\r\n"one, two",a\n"quo""ted\nline",b\n\nthree,\n'
    names = annotation_files.Annotations(
        networks={
            0: annotation_files.Annotation(name="French", note="a\nb", tags=("x", "y")),
            3: annotation_files.Annotation(name="=1"),
        },
        atlas_id="a1",
        fingerprint="f",
        n_networks=5,
    )
    table = annotation_files.to_csv(names).encode()
    items = "\n".join(f"{c},{i % 6},some words {i}" for c in "ab" for i in range(14))
    localizer = f"condition,template,text\n{items}\n".encode()
    lists = st.text("0123456789-,.:; ٣eEnaif+", max_size=30) | st.sampled_from(
        (
            "0-9999999999",
            "0-999999999",
            "9" * 5000,
            "1," * 20000,
            "-",
            "1--2",
            "nan",
            "1e999",
            "0:0",
        )
    )
    return {
        "txt": Target(
            attempts=damaged([b"Words.\r\nMore words.\n", "\ufeffété 🜁".encode()]) | st.binary(),
            read=lambda content: check_documents(made.write("a.txt", content)),
        ),
        "jsonl": Target(
            attempts=lines | damaged([b'{"text": "a"}\n\n{"text": "b"}\n']),
            read=lambda content: check_documents(made.write("a.jsonl", content), column="kind"),
        ),
        "csv": Target(
            attempts=damaged([honest_csv, b"text\nplain words\n"]),
            read=lambda content: check_documents(made.write("a.csv", content)),
        ),
        "tsv": Target(
            attempts=damaged([honest_csv.replace(b",", b"\t"), b"text\nplain words\n"]),
            read=lambda content: check_documents(made.write("a.tsv", content)),
        ),
        "json": Target(
            attempts=json_files([rows, ["some words", "more"]]) | lines,
            read=lambda content: check_documents(made.write("a.json", content)),
        ),
        "file name": Target(
            attempts=st.text(max_size=300) | st.sampled_from(_FILE_NAMES),
            read=lambda name: check_file_name(made, name),
        ),
        "parquet": Target(
            attempts=damaged(parquet_files()),
            read=lambda content: check_documents(made.write("a.parquet", content), column="kind"),
        ),
        "names": Target(
            attempts=json_files([annotation_files.as_value(names)]) | damaged([table]),
            read=check_names,
        ),
        "localizer": Target(
            attempts=damaged([localizer, items.replace(",", "\t").encode()]) | st.binary(),
            read=lambda content: check_localizer(made.write("a.csv", content)),
        ),
        "lists": Target(attempts=lists, read=check_lists),
    }


_FILE_NAMES = (
    "..", ".", "", " ", "../../etc/passwd", "..\\a.txt", "/etc/passwd", "C:\\a.txt", "a\0.txt",
    "a\n.txt", "\ud800.txt", "x" * 255, "x" * 256, "é" * 127, "é" * 128, "<b>.txt",
    "a\u202egnp.txt", "CON", "~", "-rf",
)  # fmt: skip


def check_file_name(made: Materials, name: str) -> None:
    """Write a file of a name that was accepted; it must lie where it was meant to."""
    folder = made.root / "named"
    folder.mkdir(exist_ok=True)
    path = folder / file_name(name)
    path.write_bytes(b"text")
    assert path.resolve().parent == folder.resolve()
    path.unlink()


def check_documents(path: Path, *, column: str | None = None) -> None:
    """Read texts; all of them must be text that a file can hold."""
    for document in read_documents(path, domain_column=column):
        assert document.text.strip()
        "".join((document.text, document.domain, document.name)).encode()


def check_names(content: bytes) -> None:
    """Read names; written and read again, they must be the same."""
    read = annotation_files.parse(content, name="names.json")
    for text in (annotation_files.to_json(read), annotation_files.to_csv(read)):
        again = annotation_files.parse(text.encode())
        kept = {k: _tidy(a) for k, a in read.networks.items()}
        assert {k: _tidy(a) for k, a in again.networks.items()} == kept


def _tidy(annotation: annotation_files.Annotation) -> annotation_files.Annotation:
    """Return an annotation without what a table does not keep: outer space, repeated tags."""
    return annotation_files.tidied(
        name=annotation.name, note=annotation.note, tags=",".join(annotation.tags)
    )


def check_localizer(path: Path) -> None:
    """Read stimuli; each item must be in a block of its condition."""
    read = read_localizer(path)
    blocks = read.blocks()
    assert sorted(i for block in blocks for i in block.items) == list(range(len(read.items)))


def check_lists(text: str) -> None:
    """Read lists of the command line; each kind refuses what another one reads."""
    readers: tuple[Callable[[str], Any], ...] = (
        numbers_in,
        shares_in,
        lambda text: units_in(text, UnitLayout((40,) * 12)),
    )
    errors = []
    for reader in readers:
        try:
            assert all(math.isfinite(number) for number in reader(text))
        except FnpruneError as error:
            errors.append(error)
    if len(errors) == len(readers):
        raise errors[0]


def parquet_files() -> list[bytes]:
    """Return small tables in the encodings that there are."""
    table = pa.table(
        {"text": ["some words", "été 🜁", None, "some words"] * 5, "kind": ["a", "b", None, "a"] * 5}
    )
    numbers = table.append_column("n", pa.array(range(20)))
    options: tuple[dict[str, Any], ...] = (
        {},
        {"compression": "zstd", "data_page_version": "2.0"},
        {"use_dictionary": False, "compression": "gzip", "row_group_size": 3},
        {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}},
        {"use_dictionary": False, "column_encoding": {"text": "DELTA_LENGTH_BYTE_ARRAY"}},
        {"compression": "none", "write_statistics": False},
    )
    files = []
    for choice in options:
        stream = io.BytesIO()
        pq.write_table(numbers, stream, **choice)
        files.append(stream.getvalue())
    return files


# Readers of volumes, plans and checkpoints


def image_targets(made: Materials) -> dict[str, Target]:
    """Return the readers of NIfTI images and of their sidecar."""
    atlas = open_atlas(made.workspace, made.atlas)
    grid = open_grid(made.workspace, atlas)
    files = volumes.volume_files(atlas, grid, [f"n {k}" for k in range(5)], z=1.0)
    by_end = {name.split("_", 1)[1]: content for name, content in files.items()}
    sidecar = by_end["volumes.json"]
    images = [by_end["stat-z_statmap.nii.gz"], by_end["dseg.nii.gz"]]
    plain = [gzip.decompress(image) for image in images]
    plain.append(nib.Nifti2Image(grid.volume(atlas.maps), grid.affine).to_bytes())

    def check(image: bytes, beside: bytes) -> None:
        read = volumes.read_image(image, beside)
        assert read.values.shape[1] == atlas.layout.n_units
        assert np.isfinite(read.values).all()
        for choice in read.choices[:3]:
            assert read.chosen(choice).shape == (atlas.layout.n_units,)

    heads = damaged(plain, within=352)
    return {
        "nifti": Target(
            attempts=st.one_of(
                damaged(images), heads, heads.map(lambda c: gzip.compress(c, 1)), st.binary()
            ),
            read=lambda image: check(image, sidecar),
        ),
        "sidecar": Target(
            attempts=json_files([json.loads(sidecar)]), read=lambda beside: check(images[0], beside)
        ),
    }


def plan_targets(made: Materials) -> dict[str, Target]:
    """Return the readers of a plan and of its refits."""
    folder = made.workspace.existing("plans", made.plan)
    value = json.loads((folder / "plan.json").read_text())
    refits = (folder / "refits.safetensors").read_bytes()
    (made.root / "tried").mkdir(exist_ok=True)

    def check_plan(content: bytes) -> None:
        plan = PruningPlan.read(made.write("plan.json", content))
        again = PruningPlan.from_json(json.loads(json.dumps(plan.to_json(), allow_nan=False)))
        assert again.to_json() == plan.to_json()
        plan.removal_key()

    def check_refits(content: bytes) -> None:
        with tempfile.TemporaryDirectory(dir=made.root) as scratch:
            place = Path(scratch)
            (place / "plan.json").write_bytes((folder / "plan.json").read_bytes())
            (place / "refits.safetensors").write_bytes(content)
            importing.import_plan(Workspace(place / "workspace"), made.model, place)

    return {
        "plan": Target(attempts=json_files([value]), read=check_plan),
        "refits": Target(attempts=tensor_files(refits), read=check_refits),
    }


def checkpoint_targets(made: Materials) -> dict[str, Target]:
    """Return the readers of a checkpoint: config, weights and GGUF file."""
    config = json.loads((made.folder / "config.json").read_text())
    weights = (made.folder / "model.safetensors").read_bytes()
    gguf_path = made.root / "tiny.gguf"
    write_gguf(made.model, made.model.model, gguf_path, weights="F32")
    gguf = gguf_path.read_bytes()
    n_head = gguf.index(b"output_norm.weight")

    def check_folder(name: str, content: bytes) -> None:
        place = made.root / "tried" / "folder"
        place.mkdir(parents=True, exist_ok=True)
        for path in made.folder.iterdir():
            (place / path.name).write_bytes(path.read_bytes())
        (place / name).write_bytes(content)
        check_model(place)

    sizes = {"most_s": 20.0, "most_bytes": 400_000_000}
    return {
        "config": Target(
            attempts=json_files([config]),
            read=lambda content: check_folder("config.json", content),
            **sizes,
        ),
        "safetensors": Target(
            attempts=tensor_files(weights),
            read=lambda content: check_folder("model.safetensors", content),
            **sizes,
        ),
        "gguf": Target(
            attempts=damaged([gguf], within=n_head),
            read=lambda content: check_model(made.write("a.gguf", content)),
            **sizes,
        ),
    }


def check_model(place: Path) -> None:
    """Load a model; its logits must be of its vocabulary."""
    model = load_model(str(place), device="cpu", dtype="float32")
    with torch.no_grad():
        logits = model.model(torch.zeros((1, 4), dtype=torch.long)).logits
    assert logits.shape[:2] == (1, 4)


# Options and links


def command_target(made: Materials) -> Target:
    """Return the command line: a command with honest arguments and up to three hostile options."""
    from typer.main import get_command

    from fnprune_core.cli import build_cli, cli

    build_cli()
    group = get_command(cli)
    calls = {
        "record": [], "decompose": ["latest"], "plan": ["latest"], "evaluate": [],
        "sweep": ["latest"], "lesion": ["latest"], "localize": ["latest"], "trust": ["latest"],
        "match": ["latest", "latest"], "apply": ["latest", "latest"], "prune": ["latest"],
        "generate": ["latest", "the fox"], "speed": ["latest"], "volumes": ["latest", "out"],
        "atlas": ["latest", "out.html"], "report": ["latest"], "doctor": [str(made.folder)],
        "export": ["latest", "out"], "app": ["--dry-run"], "demo": [],
    }  # fmt: skip
    spelled = {
        name: [option for option in group.commands[name].params if option.opts[0][0] == "-"]
        for name in calls
    }
    values = st.sampled_from(
        ("", "0", "-1", "1", "x", "nan", "inf", "1e400", "9" * 5000, "100000000000000000000",
         "2147483648", "0-9999999999", "0-999999999", "1,", "0:0", "0.5", "latest", "~nobody/x",
         "a" * 4000, "\udcff", "٣", "mean", "random", "../..", "/dev/null", "/proc/self/mem")
    )  # fmt: skip

    @st.composite
    def calls_of(draw: st.DrawFn) -> list[str]:
        name = draw(st.sampled_from(sorted(calls)))
        words = [
            name,
            *_BRIEF.get(name, ()),
            *(draw(st.just(word) | values) for word in calls[name]),
        ]
        for option in draw(st.lists(st.sampled_from(spelled[name]), min_size=1, max_size=3)):
            words.append(option.opts[0])
            if not getattr(option, "is_flag", False):
                words.append(draw(values))
        return words

    return Target(
        attempts=calls_of(), read=lambda words: check_command(made, words), most_s=60.0,
        most_bytes=600_000_000,
    )  # fmt: skip


def check_command(made: Materials, words: Sequence[str]) -> None:
    """Run a command; it must end with 0, or with 2 and one sentence."""
    from fnprune_core.cli import main

    before = sys.argv, Path.cwd(), dict(os.environ)
    with tempfile.TemporaryDirectory(dir=made.root) as scratch:
        os.environ["FNPRUNE_WORKSPACE"] = str(made.workspace.root)
        os.chdir(scratch)
        sys.argv = ["fnprune", *words]
        if "--model" not in words and "-m" not in words and words[0] in _WITH_MODEL:
            sys.argv += ["--model", str(made.folder)]
        out, err = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main()
        except SystemExit as stopped:
            code = stopped.code
        finally:
            sys.argv = before[0]
            os.chdir(before[1])
            os.environ.clear()
            os.environ.update(before[2])
    assert code in (0, 2), f"exit code {code}"
    assert "Traceback" not in err.getvalue()
    if code == 2:
        raise FnpruneError(" ".join(err.getvalue().split())[:300])


#: What keeps an honest command from taking a minute.
_BRIEF = {
    "speed": ("--rounds", "1", "--prefill", "8", "--decode", "2"),
    "demo": ("--windows", "2", "--max-tokens", "1024", "-k", "3", "--ratio", "0.2"),
}
_WITH_MODEL = (
    "record", "plan", "evaluate", "sweep", "lesion", "localize", "prune", "generate", "speed",
    "export", "demo",
)  # fmt: skip
_LINKS = (
    "abc", "-1", "0", "3", "9" * 5000, "0-999999999", "1e400", "nan", "\0", "../../etc/passwd",
    "latest", "a" * 300, "é", "0-4096." * 200, "..", "<b>", "~nobody/x", "999999999", "1-", "-",
    "a.b.c", "\ufffd",
)  # fmt: skip


def link_target(made: Materials) -> Target:
    """Return the app: any page, opened by a link with up to four hostile values."""
    from app import pages
    from app.shell import codec
    from app.shell.view_fields import ViewState

    names = sorted(codec.names(ViewState))
    honest = {"model": str(made.folder), "recording": made.recording, "atlas": made.atlas}

    @st.composite
    def links(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
        page = draw(st.sampled_from(pages.VIEWS)).url
        base = draw(st.sampled_from(({}, honest, honest, {**honest, "plan": made.plan})))
        chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=4))
        return page, base | {name: draw(st.sampled_from(_LINKS)) for name in chosen}

    return Target(
        attempts=links(), read=lambda link: check_link(made, *link), most_s=60.0,
        most_bytes=600_000_000,
    )  # fmt: skip


def check_link(made: Materials, page: str, parameters: dict[str, str]) -> None:
    """Open a page by a link; it may say what is wrong, and must not break."""
    from streamlit.testing.v1 import AppTest

    from app import pages

    os.environ["FNPRUNE_WORKSPACE"] = str(made.workspace.root)
    at = AppTest.from_file(str(Path(pages.__file__).with_name("main.py")), default_timeout=120)
    for name, value in parameters.items():
        at.query_params[name] = value
    at.run()
    if page != "start":
        at.switch_page(pages.path(page)).run()
    said = [box.value for box in at.error]
    assert not at.exception, at.exception[0].message
    assert not [text for text in said if "Something went wrong inside" in text], "internal error"
    if said:
        raise FnpruneError(said[0])


def file_targets(made: Materials) -> dict[str, Target]:
    """Return the readers of files, by name."""
    return {
        **text_targets(made),
        **image_targets(made),
        **plan_targets(made),
        **checkpoint_targets(made),
    }


def all_targets(made: Materials) -> dict[str, Target]:
    """Return every target: files, the command line, links."""
    return {**file_targets(made), "options": command_target(made), "links": link_target(made)}
