"""Pictures kept as files: drawn once, found by a new server, gone with what they show."""

import os

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.shell import resources
from app.shell.caching import CACHES
from app.shell.images import addresses, kept, stills
from app.shell.images import routes as image_routes
from app.shell.view_fields import DEFAULT_Z
from fnprune_core.atlas import annotations, cortex
from fnprune_core.atlas.annotation_files import Annotation
from fnprune_core.storage.workspace import PICTURES


def forbid(*args: object, **options: object) -> bytes:
    raise AssertionError("drawn again")


def stored() -> list[str]:
    return sorted(p.name for p in (resources.workspace().root / PICTURES).rglob("*.*"))


def test_a_picture_is_drawn_once_and_anew_for_another_version(example, monkeypatch) -> None:
    assert kept.file(example.atlas, "a.webp", lambda: b"first") == b"first"
    assert kept.file(example.atlas, "a.webp", forbid) == b"first"
    assert stored() == ["a.webp"]
    cortex.lay_out(resources.workspace(), example.atlas)
    assert kept.file(example.atlas, "a.webp", lambda: b"second") == b"second"
    assert stored() == ["a.webp"]
    resources.workspace().delete("decompositions", example.atlas)
    assert stored() == []


def test_facts_are_found_again_until_a_network_is_named(example) -> None:
    assert kept.facts(example.atlas, "a", lambda: {"n": 1}) == {"n": 1}
    assert kept.facts(example.atlas, "a", forbid) == {"n": 1}
    annotations.annotate(
        resources.workspace(), resources.atlas(example.atlas), 2, Annotation(name="Two")
    )
    assert kept.facts(example.atlas, "a", lambda: {"n": 2}) == {"n": 2}


def test_facts_do_not_hold_once_a_network_was_named_even_while_they_were_found(example) -> None:
    def found_slowly() -> dict[str, int]:
        annotations.annotate(
            resources.workspace(), resources.atlas(example.atlas), 2, Annotation(name="Two")
        )
        return {"n": 1}

    assert kept.facts(example.atlas, "a", found_slowly) == {"n": 1}
    assert not kept.has_facts(example.atlas, "a")
    assert kept.facts(example.atlas, "a", lambda: {"n": 2}) == {"n": 2}
    assert kept.has_facts(example.atlas, "a")


def test_a_damaged_or_locked_folder_keeps_nobody_from_seeing(example) -> None:
    kept.facts(example.atlas, "a", lambda: {"n": 1})
    (file,) = (resources.workspace().root / PICTURES).rglob("a.json")
    file.write_text('{"n": 1, "made')
    assert kept.facts(example.atlas, "a", lambda: {"n": 3}) == {"n": 3}
    file.unlink()
    file.mkdir()  # can be neither read nor replaced
    assert kept.facts(example.atlas, "a", lambda: {"n": 4}) == {"n": 4}


def test_bytes_that_flipped_are_not_shown(example) -> None:
    kept.file(example.atlas, "a.webp", lambda: b"first")
    kept.facts(example.atlas, "a", lambda: {"n": 1})
    for file in (resources.workspace().root / PICTURES).rglob("a.*"):
        file.write_bytes(file.read_bytes().replace(b"first", b"fIrst").replace(b"1", b"7"))
    assert kept.file(example.atlas, "a.webp", lambda: b"again") == b"again"
    assert kept.facts(example.atlas, "a", lambda: {"n": 2}) == {"n": 2}


@pytest.mark.parametrize("z", [DEFAULT_Z, 4.0])
def test_thumbnails_at_the_usual_threshold_outlive_the_server(example, monkeypatch, z) -> None:
    cortex.lay_out(resources.workspace(), example.atlas)
    client = TestClient(Starlette(routes=image_routes.routes()))
    address = addresses.atlas_url(example.atlas, "networks/2.webp", z=z)
    drawn = client.get(address).content
    CACHES.clear()
    monkeypatch.setattr(stills, "thumbnail", lambda *args, **options: b"drawn again")
    again = client.get(address).content
    assert again == (drawn if z == DEFAULT_Z else b"drawn again")


def test_kept_pictures_are_bounded_and_those_not_asked_for_go_first(example, monkeypatch) -> None:
    monkeypatch.setattr(kept, "MOST_BYTES", 250)  # each has 16 more
    for number in range(2):
        kept.file(example.atlas, f"{number}.webp", lambda: b"x" * 100)
    first, second = sorted((resources.workspace().root / PICTURES).rglob("*.webp"))
    os.utime(first, (1000, 1000))
    os.utime(second, (2000, 2000))
    assert kept.stored(example.atlas, "0.webp")  # asked for again
    kept.file(example.atlas, "2.webp", lambda: b"x" * 100)
    assert stored() == ["0.webp", "2.webp"]
    os.utime(first, (4e9, 4e9))  # of a clock that was ahead
    kept.file(example.atlas, "3.webp", lambda: b"x" * 100)
    assert stored() == ["2.webp", "3.webp"]
