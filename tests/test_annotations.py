"""Names and notes of networks: kept, bounded, merged, and lost in no accident."""

import json
import threading
from types import SimpleNamespace

import pytest

from fnprune_core.atlas import annotation_files, annotations
from fnprune_core.atlas.annotation_files import MAX_FILE_BYTES, Annotation, Annotations
from fnprune_core.errors import CorruptArtifactError, SettingsError, TextError


def atlas(id="a1", *, n_networks=6, fingerprint="model-1"):
    """Stand in for an atlas: all that annotations ask of it."""

    def check_network(network):
        if not 0 <= network < n_networks:
            raise SettingsError(f"There is no network {network}.")
        return network

    return SimpleNamespace(
        id=id,
        n_networks=n_networks,
        decomposition=SimpleNamespace(fingerprint=fingerprint),
        check_network=check_network,
    )


AWKWARD = {
    0: Annotation(name="<b>French</b> & `code` $x$"),
    2: Annotation(name="=HYPERLINK(1)", note='\'-1 at night\n\n\t"quoted", and é 神 🧠'),
    5: Annotation(name="'quoted'", note="+1", tags=("@home", "two words")),
}
SPOKEN = Annotations(networks=AWKWARD, atlas_id="a1", fingerprint="model-1", n_networks=6)


def said(workspace, **kwargs) -> dict[int, Annotation]:
    return dict(annotations.read_annotations(workspace, atlas(**kwargs).id).networks)


def test_what_is_said_is_kept_as_given_and_can_be_taken_back(workspace) -> None:
    for network, annotation in AWKWARD.items():
        annotations.annotate(workspace, atlas(), network, annotation)
    assert said(workspace) == AWKWARD
    annotations.annotate(workspace, atlas(), 2, Annotation())
    assert set(said(workspace)) == {0, 5}
    assert said(workspace, id="a2") == {}


def test_many_writers_at_once_lose_no_name(workspace) -> None:
    crowd = atlas(n_networks=24)
    start = threading.Barrier(24)

    def write(network) -> None:
        start.wait()
        annotations.annotate(workspace, crowd, network, Annotation(name=f"name {network}"))

    threads = [threading.Thread(target=write, args=(k,)) for k in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {k: a.name for k, a in said(workspace).items()} == {k: f"name {k}" for k in range(24)}


@pytest.mark.parametrize("write", [annotation_files.to_json, annotation_files.to_csv])
def test_a_file_brings_everything_back(write) -> None:
    found = annotation_files.parse(write(SPOKEN).encode())
    assert dict(found.networks) == AWKWARD
    assert (found.atlas_id, found.fingerprint, found.n_networks) == ("a1", "model-1", 6)


def test_no_cell_of_the_table_begins_like_a_formula() -> None:
    cells = [
        cell for line in annotation_files.to_csv(SPOKEN).splitlines() for cell in line.split(",")
    ]
    assert not any(cell.lstrip('"')[:1] in tuple("=+-@") for cell in cells if cell.strip('"'))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "x" * 81}, "at most 80 characters, got 81"),
        ({"note": "x" * 4001}, "at most 4,000"),
        ({"name": "two\nlines"}, r"U\+000A at place 4"),
        ({"name": "bell\a"}, r"U\+0007"),
        ({"note": "turned \u202e round"}, r"U\+202E"),
        ({"note": "\ud800"}, r"U\+D800"),
        ({"tags": ("a,b",)}, "without comma"),
        ({"tags": tuple(map(str, range(13)))}, "at most 12 tags"),
    ],
)
def test_text_out_of_bounds_is_refused_with_the_reason(fields, message) -> None:
    with pytest.raises(TextError, match=message):
        Annotation(**fields)


CSV = annotation_files.to_csv(SPOKEN)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\xff\xfe\x00", "UTF-8: byte 0"),
        (annotation_files.to_json(SPOKEN).encode()[:-40], "not whole JSON"),
        (b"[" * 100_000, "not whole JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not whole JSON"),
        (b'{"kind": "something else"}', "does not hold names"),
        (b'{"kind": "fnprune annotations", "schema_version": 99}', "schema version 99"),
        (b'{"kind": "fnprune annotations", "schema_version": 1}', "no `networks`"),
        (annotation_files.to_json(SPOKEN).replace('"0"', '"-1"').encode(), "'-1' in the file"),
        (annotation_files.to_json(SPOKEN).replace('"+1"', "7").encode(), "Network '5'"),
        (annotation_files.to_json(SPOKEN).replace("+1", "\\u0000").encode(), r"U\+0000"),
        (b"layer,index\n1,2\n", "neither JSON nor a table"),
        (CSV.encode()[:-40], "cut short|cannot be read|as many cells"),
        (CSV[: CSV.index("quoted")].encode(), "cannot be read"),
        (b"network,name\nx,French\n", "'x' in the file"),
        (b"network,name\n1," + b"x" * 200_000, "field larger than field limit"),
        (b" " * (MAX_FILE_BYTES + 1), "16.0 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_and_foreign_files_are_told(content, message) -> None:
    with pytest.raises(TextError, match=message):
        annotation_files.parse(content)


@pytest.mark.parametrize(
    ("file", "fit", "words"),
    [
        ({}, "same", "of this atlas"),
        ({"atlas_id": "a2"}, "numbers", "another atlas of 6 networks"),
        ({"atlas_id": "a2", "n_networks": 5}, "numbers", "of 5 networks; this one has 6"),
        ({"atlas_id": "", "n_networks": 0, "fingerprint": ""}, "unknown", "does not say"),
        ({"fingerprint": "model-2"}, "none", "another model"),
    ],
)
def test_whether_a_file_fits_is_told_before_it_is_merged(file, fit, words) -> None:
    facts = {"atlas_id": "a1", "fingerprint": "model-1", "n_networks": 6, **file}
    check = annotations.check_import(Annotations(networks=AWKWARD, **facts), atlas())
    assert (check.fit, check.n_fitting, check.n_beyond) == (fit, 3, 0)
    assert words in check.message


def test_import_deletes_nothing_and_leaves_out_what_does_not_exist(workspace) -> None:
    here = atlas()
    annotations.annotate(workspace, here, 1, Annotation(name="mine", note="my note", tags=("a",)))
    annotations.annotate(workspace, here, 3, Annotation(name="untouched"))
    found = Annotations(
        networks={
            1: Annotation(name="theirs"),
            3: Annotation(note="theirs"),
            9: Annotation(name="far"),
        }
    )
    assert annotations.check_import(found, here).n_beyond == 1
    annotations.merge(workspace, here, found)
    assert said(workspace) == {
        1: Annotation(name="theirs", note="my note", tags=("a",)),
        3: Annotation(name="untouched", note="theirs"),
    }
    with pytest.raises(SettingsError, match="no network of this atlas"):
        annotations.merge(workspace, here, Annotations(networks={9: Annotation(name="far")}))
    with pytest.raises(SettingsError, match="another model"):
        annotations.merge(workspace, here, Annotations(networks=AWKWARD, fingerprint="other"))


def test_names_follow_a_match_of_two_atlases(workspace) -> None:
    annotations.merge(workspace, atlas("a2"), SPOKEN, numbers={0: 4, 2: 0})
    assert said(workspace, id="a2") == {4: AWKWARD[0], 0: AWKWARD[2]}


def test_a_damaged_file_is_told_not_overwritten_and_can_be_set_aside(workspace) -> None:
    annotations.annotate(workspace, atlas(), 0, Annotation(name="kept"))
    path = annotations.path_of(workspace, "a1")
    path.write_text(path.read_text()[:-30])
    damaged = path.read_text()
    with pytest.raises(CorruptArtifactError, match="cannot be read"):
        annotations.annotate(workspace, atlas(), 1, Annotation(name="new"))
    assert path.read_text() == damaged
    aside = annotations.set_aside(workspace, "a1")
    assert aside.read_text() == damaged
    annotations.annotate(workspace, atlas(), 1, Annotation(name="new"))
    assert said(workspace) == {1: Annotation(name="new")}
    assert json.loads(path.read_text())["n_networks"] == 6
