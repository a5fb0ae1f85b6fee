"""One id, one thing: the same bytes on any number of threads, and whenever it is made again."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from fnprune_core.decomposition.decomposition import Decomposition
from fnprune_core.evaluation.perplexity import perplexity
from fnprune_core.machine.threads import (
    eigen,
    gram,
    nearest_orthogonal,
    of_each,
    one_thread,
    product,
)
from fnprune_core.models.loading import load_model
from fnprune_core.models.silencing import silenced
from fnprune_core.recording.reading import Reader
from fnprune_core.storage.checksums import MANIFEST, seal
from fnprune_core.texts.windows import stacked_ids

TESTS = Path(__file__).parents[2]
CPU = torch.device("cpu")
#: Makes a workspace of a tiny model, in a process of its own.
PATH = """
import sys, warnings
import numpy as np
import tiny
from fnprune_core.decomposition.group_ica import GroupICA, decompose
from fnprune_core.recording.record import record
from fnprune_core.recording.recording import RecordingSettings
from fnprune_core.storage.workspace import Workspace

warnings.simplefilter("ignore")
workspace = Workspace(sys.argv[1])
windows = tiny.toy_windows()
settings = RecordingSettings(window=windows.window, max_tokens=None)
recording = record(workspace, tiny.tiny_language_model("Llama"), windows, settings=settings)
for options in ({}, {"scope": "layer"}, {"fun": "logcosh"}):
    ica = GroupICA(n_components=5, n_runs=3, max_iter=60, **options)
    decompose(workspace, recording, settings=ica)
# As wide as a small model, so that its products and factorisations are split among threads.
rng = np.random.default_rng(0)
maps = rng.laplace(size=(24, 12_000))
sessions = [
    rng.standard_normal((160, 24)) @ maps + rng.standard_normal((160, 12_000)) for _ in range(3)
]
wide = GroupICA(n_components=24, n_runs=2).fit(sessions)
wide.result_.save(workspace.folder("decompositions", "wide"), {})
"""


def make_with(threads: int, target: Path) -> None:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    paths = os.pathsep.join([str(TESTS.parent), str(TESTS), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, **dict.fromkeys(names, str(threads)), "PYTHONPATH": paths}
    subprocess.run(
        [sys.executable, "-c", PATH, str(target)],
        env=environment, check=True, timeout=300,
    )  # fmt: skip


def contents(workspace: Path) -> dict[str, object]:
    """Return every file of a workspace; of manifests all but when they were written."""
    files: dict[str, object] = {}
    for path in sorted(p for p in workspace.rglob("*") if p.is_file()):
        name = str(path.relative_to(workspace))
        if path.name == MANIFEST:
            manifest = json.loads(path.read_text())
            assert manifest.pop("created")
            assert manifest.pop("checksum")  # of the time too
            files[name] = manifest
        else:
            files[name] = path.read_bytes()
    return files


def test_arrays_and_manifests_are_the_same_on_any_number_of_threads(tmp_path) -> None:
    """Made again in another process, too; but for times all files are equal."""
    first, again = (tmp_path / name for name in ("first", "again"))
    make_with(1, first)
    make_with(3, again)
    expected, found = contents(first), contents(again)
    assert len([name for name in expected if name.endswith("decomposition.safetensors")]) == 4
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def on_threads(*numbers: int, work) -> list[list[torch.Tensor]]:
    before = torch.get_num_threads()
    try:
        found = []
        for number in numbers:
            torch.set_num_threads(number)
            found.append(work())
    finally:
        torch.set_num_threads(before)
    return found


@pytest.mark.parametrize("n", [8, 32, 64, 96, 300])
def test_steps_give_the_same_bits_on_any_number_of_threads(n) -> None:
    rng = np.random.default_rng(n)
    rows = torch.from_numpy(rng.standard_normal((n, 20_000)))
    square = torch.from_numpy(rng.standard_normal((n, n)))

    def steps() -> list[torch.Tensor]:
        squares = gram(rows)
        return [squares, *eigen(squares), nearest_orthogonal(square), product(square, rows)]

    one, two, three = on_threads(1, 2, 3, work=steps)
    for a, b, c in zip(one, two, three, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)
    squares, values, vectors, orthogonal, _ = one
    torch.testing.assert_close(squares, rows @ rows.T)
    torch.testing.assert_close(vectors @ torch.diag(values) @ vectors.T, squares)
    torch.testing.assert_close(orthogonal @ orthogonal.T, torch.eye(n, dtype=torch.float64))


@pytest.mark.parametrize("n_terms", [1, 511, 512, 513, 1024, 4097, 46_080])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_products_are_the_same_whatever_the_length_of_their_sums(n_terms, dtype) -> None:
    generator = torch.Generator().manual_seed(n_terms)

    def made(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    pairs = [
        (made(n, n_terms), made(n_terms, m)) for n, m in ((1, 5), (64, 64), (65, 500), (500, 33))
    ]
    pairs.append((made(n_terms, 70).T, made(n_terms, 20)))  # of which rows are not together

    def products() -> list[torch.Tensor]:
        return [product(a, b) for a, b in pairs]

    for a, b in pairs:
        room = a.new_empty(len(a), b.shape[1])
        assert product(a, b, out=room) is room
        assert torch.equal(room, product(a, b))

    one, two, three = on_threads(1, 2, 3, work=products)
    for (a, b), x, y, z in zip(pairs, one, two, three, strict=True):
        assert torch.equal(x, y)
        assert torch.equal(x, z)
        torch.testing.assert_close(x, (a.double() @ b.double()).to(dtype), rtol=1e-4, atol=1e-3)


def test_the_number_of_threads_is_put_back_after_blocks_within_blocks() -> None:
    from threadpoolctl import threadpool_info

    before = [pool["num_threads"] for pool in threadpool_info()]
    with one_thread():
        with pytest.raises(ZeroDivisionError), one_thread():
            raise ZeroDivisionError
        assert {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"} == {1}
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_an_atlas_of_before_has_its_fingerprint_from_its_maps(made, tmp_path) -> None:
    import shutil

    from fnprune_core.decomposition.numbering import fingerprint_at
    from fnprune_core.storage.workspace import Workspace

    shutil.copytree(made.root / "workspace" / "decompositions", tmp_path / "decompositions")
    workspace = Workspace(tmp_path)
    with_key = fingerprint_at(workspace, made.atlas)
    path = workspace.folder("decompositions", made.atlas) / MANIFEST
    manifest = json.loads(path.read_text())
    assert manifest.pop("maps_fingerprint") == with_key.to_json()
    path.write_text(json.dumps(manifest))
    seal(path.parent)
    assert fingerprint_at(workspace, made.atlas).to_json() == with_key.to_json()
    stored = Decomposition.load(path.parent)
    assert stored.n_networks == len(with_key.marks)


@pytest.mark.parametrize(("dtype", "lengths"), [("bfloat16", (280, 280)), ("float32", (7,))])
def test_a_real_model_gives_the_same_bits_on_any_number_of_threads(dtype, lengths) -> None:
    """Products of its width are split among threads: in bfloat16 by AMX, of few tokens by MKL."""
    language_model = load_model(dtype=dtype)
    windows = tiny.toy_windows(lengths, n_documents=len(lengths))
    ids = stacked_ids(windows, range(len(lengths)))
    fifth = [np.arange(0, width, 5) for width in language_model.layout.widths]  # a lesion
    lesion = partial(silenced, language_model, fifth)

    def passes() -> list[torch.Tensor]:
        read = Reader(language_model, n_dummy_tokens=2).read(ids)
        losses = perplexity(language_model.model, windows).window_nll
        under_lesion = perplexity(language_model.model, windows, context=lesion).window_nll
        assert not np.array_equal(under_lesion, losses)
        both = [losses, under_lesion]
        kept = [read.signals, read.log_probabilities[:, 1:], *read.per_session.values(), *both]
        return [torch.from_numpy(array) for array in kept]

    one, three = on_threads(1, 3, work=passes)
    assert all(torch.equal(a, b) for a, b in zip(one, three, strict=True))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_items_are_done_by_threads_of_one_thread_each(threads) -> None:
    """In order, with torch's threads put back, here and for threads that begin later."""
    before = torch.get_num_threads()

    def seen(item: int) -> tuple[int, int]:
        return item, torch.get_num_threads()

    def fail(item: int) -> None:
        raise ValueError(f"item {item}")

    try:
        torch.set_num_threads(threads)
        assert of_each(seen, range(5), device=CPU) == [(item, 1) for item in range(5)]
        with pytest.raises(ValueError, match="item 0"):
            of_each(fail, range(5), device=CPU)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == threads
        assert torch.get_num_threads() == threads
        assert of_each(seen, [7], device=CPU) == [(7, threads)]
        assert of_each(seen, [7], device=CPU, share=False) == [(7, 1)]
        assert of_each(seen, [], device=CPU, share=False) == []
    finally:
        torch.set_num_threads(before)
