"""Paths that come from a browser are confined, links resolved first; texts and disk are bounded."""

from pathlib import Path

import pytest
from driving import finish, press, said

from app.doors import here
from app.doors.reach import PathRefusedError, Reach, reach_of
from app.doors.settings import read
from app.shell import resources
from app.shell.jobs import tasks
from app.shell.jobs.tasks import Run, Task
from app.shell.text_choice import TextChoice
from fnprune_core.errors import SettingsError, StorageError, TextError
from fnprune_core.progress import NEVER
from fnprune_core.storage.folders import check_free_space, workspace_limit
from fnprune_core.storage.workspace import Workspace

SECRET = "/etc/passwd"


@pytest.fixture
def shared(tmp_path, monkeypatch) -> Reach:
    """What strangers reach on a server with one root, all below the test's folder."""
    for name in ("workspace/recordings/a", "workspace/exports", "root", "uploads", "outside"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "root" / "texts.txt").write_text("a text")
    (tmp_path / "outside" / "secret.txt").write_text("a secret")
    monkeypatch.setattr("platformdirs.user_data_dir", lambda name: str(tmp_path / "data"))
    door = read("0.0.0.0", {"FNPRUNE_ALLOW_ROOT": str(tmp_path / "root")})
    return reach_of(door, Workspace(tmp_path / "workspace"), uploads=tmp_path / "uploads")


@pytest.mark.parametrize("name", ["root/texts.txt", "workspace", "data/x"])
def test_what_lies_in_a_root_may_be_read(shared, tmp_path, name) -> None:
    assert shared.to_read(str(tmp_path / name)) == tmp_path / name


@pytest.mark.parametrize(
    "name",
    [
        "outside/secret.txt", "outside", "root/../outside/secret.txt", "root-other", "",
        "workspace/../outside", ".", "root/../root/../../outside",
    ],
)  # fmt: skip
def test_what_lies_outside_may_not_and_whether_it_is_there_is_not_told(shared, tmp_path, name):
    with pytest.raises(PathRefusedError, match="outside of the folders") as there:
        shared.to_read(str(tmp_path / name))
    with pytest.raises(PathRefusedError) as missing:
        shared.to_read(str(tmp_path / "outside/no-such-file"))
    assert "--allow-root" in there.value.hint
    assert there.value.hint == missing.value.hint


@pytest.mark.parametrize("text", [SECRET, "~", "~/x", "/", "\0", "a\0b", "/proc/self/environ"])
def test_paths_of_the_machine_are_refused(shared, text) -> None:
    for check in (shared.to_read, shared.to_write):
        with pytest.raises(PathRefusedError):
            check(text)


def test_links_are_followed_before_they_are_judged(shared, tmp_path) -> None:
    root = tmp_path / "root"
    (root / "link.txt").symlink_to(tmp_path / "outside/secret.txt")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(root / "loop")
    (root / "fine").symlink_to(root / "texts.txt")
    for name in ("link.txt", "folder", "folder/secret.txt", "loop"):
        with pytest.raises(PathRefusedError):
            shared.to_read(str(root / name))
    with pytest.raises(PathRefusedError):
        shared.to_write(str(root / "folder" / "new"))
    assert shared.to_read(str(root / "fine")) == root / "texts.txt"


def test_a_link_inside_a_folder_is_judged_with_it(shared, tmp_path) -> None:
    corpus = tmp_path / "root" / "corpus" / "french"
    corpus.mkdir(parents=True)
    (corpus / "a.txt").write_text("un texte")
    assert shared.to_read(str(corpus.parent))
    (corpus / "b.txt").symlink_to(tmp_path / "outside/secret.txt")
    with pytest.raises(PathRefusedError):
        shared.to_read(str(corpus.parent))


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("workspace/exports/model", True),
        ("root/model", True),
        ("workspace/exports", False),
        ("root", False),
        ("workspace", False),
        ("workspace/recordings/a", False),
        ("workspace/names.json", False),
        ("workspace/exports/../plans/b", False),
        ("data/model", False),
        ("uploads/model", False),
        ("outside/model", False),
    ],
)
def test_only_exports_and_roots_are_written(shared, tmp_path, name, may) -> None:
    if may:
        assert shared.to_write(str(tmp_path / name)) == tmp_path / name
    else:
        with pytest.raises(PathRefusedError):
            shared.to_write(str(tmp_path / name))


def test_a_root_around_the_workspace_does_not_open_its_artifacts(tmp_path) -> None:
    (tmp_path / "workspace").mkdir()
    door = read("0.0.0.0", {"FNPRUNE_ALLOW_ROOT": str(tmp_path)})
    reach = reach_of(door, Workspace(tmp_path / "workspace"), uploads=tmp_path / "u")
    with pytest.raises(PathRefusedError):
        reach.to_write(str(tmp_path / "workspace/plans/x"))
    assert reach.to_write(str(tmp_path / "workspace/exports/x"))


def test_a_model_is_an_id_or_lies_in_a_root(shared, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for source in ("embedded", "HuggingFaceTB/SmolLM2-135M", "gpt2", "root/texts.txt"):
        assert shared.model(source) == source
    for source in (str(tmp_path / "outside"), "outside/secret.txt", "../x", "~/m", "a/b/c"):
        with pytest.raises(PathRefusedError):
            shared.model(source)


def test_texts_are_confined_and_bounded(shared, tmp_path) -> None:
    inside, outside = tmp_path / "root/texts.txt", tmp_path / "outside/secret.txt"
    assert TextChoice(sources=(str(inside),)).documents(shared)[0].text == "a text"
    for source in (str(outside), SECRET, str(inside.parent / "../outside")):
        with pytest.raises(PathRefusedError):
            TextChoice(sources=(source,)).documents(shared)
    door = read("127.0.0.1", {"FNPRUNE_MAX_READ_MB": "0.000005"})
    small = reach_of(door, Workspace(tmp_path / "workspace"), uploads=tmp_path / "u")
    for source in (inside, inside.parent):
        with pytest.raises(TextError, match="at most"):
            TextChoice(sources=(str(source),)).documents(small)


def test_alone_on_this_machine_all_of_it_is_one_s_own(tmp_path) -> None:
    reach = reach_of(read("127.0.0.1", {}), Workspace(tmp_path), uploads=tmp_path)
    assert reach.to_read(SECRET) == Path(SECRET).resolve()
    assert reach.to_write(str(tmp_path / "anywhere"))
    assert reach.model("../x")


def test_a_job_s_texts_are_bounded(tmp_path) -> None:
    door = read("127.0.0.1", {"FNPRUNE_MAX_TEXT_CHARS": "20"})
    reach = reach_of(door, Workspace(tmp_path), uploads=tmp_path)
    shelf = tasks.ModelShelf(reach=reach)

    def job(**inputs):
        done = Task(kind="probe", title="t", inputs=inputs, function=lambda run: "done")
        return done.job(Workspace(tmp_path), shelf)(lambda event: None, NEVER)

    assert job(text="x" * 20) == "done"
    for inputs in ({"text": "x" * 21}, {"order": {"prompt": ["y" * 21]}}):
        with pytest.raises(TextError, match="21 characters"):
            job(**inputs)


def test_the_workspace_s_disk_use_is_bounded(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FNPRUNE_WORKSPACE", str(tmp_path))
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "big").write_bytes(b"x" * 2000)
    check_free_space(tmp_path / "recordings", 10_000)
    monkeypatch.setenv("FNPRUNE_MAX_WORKSPACE_GB", "0.000003")
    check_free_space(tmp_path / "recordings", 1000)
    with pytest.raises(StorageError, match="may hold") as caught:
        check_free_space(tmp_path / "recordings", 1001)
    assert "FNPRUNE_MAX_WORKSPACE_GB" in caught.value.hint
    check_free_space(tmp_path.parent / "elsewhere", 1001)  # not the workspace's
    (tmp_path / "plans" / "bigger").write_bytes(b"x" * 2000)
    shelf = tasks.ModelShelf(
        reach=reach_of(read("127.0.0.1", {}), Workspace(tmp_path), uploads=tmp_path)
    )
    begun: list[Run] = []
    late = Task(kind="record", title="t", inputs={}, function=begun.append)
    with pytest.raises(StorageError, match="may hold"):
        late.job(Workspace(tmp_path), shelf)(lambda event: None, NEVER)
    assert not begun
    for text in ("much", "-1", "nan"):
        with pytest.raises(SettingsError, match="gigabytes"):
            workspace_limit({"FNPRUNE_MAX_WORKSPACE_GB": text})


# On the pages -------------------------------------------------------------------------------------


@pytest.fixture
def strangers(fresh, made, monkeypatch) -> Path:
    """A shared server over an empty workspace; its root is empty too."""
    root = fresh.parent / "root"
    root.mkdir()
    monkeypatch.setenv("FNPRUNE_ALLOW_HOST", "brain.example")
    monkeypatch.setenv("FNPRUNE_ALLOW_ROOT", str(root))
    assert not here.door().is_private
    return root


def test_the_text_box_opens_no_file_of_the_machine(strangers, open_page, made) -> None:
    at = open_page("record")
    at.segmented_control(key="record-kind").set_value("Path or data set").run()
    for path in (SECRET, "/etc/no-such-file", str(made.texts), "../../etc/passwd", "~/x", "~no/x"):
        at.text_input(key="record-source").set_value(path).run()
        assert not at.exception
        assert "outside of the folders" in said(at) or "no path that can" in said(at), path
        assert "document" not in " ".join(caption.value for caption in at.caption)
    (strangers / "mine.txt").write_text("one two three")
    at.text_input(key="record-source").set_value(str(strangers / "mine.txt")).run()
    assert "outside" not in said(at)
    assert "1 document" in " ".join(caption.value for caption in at.caption)


def test_no_model_outside_is_loaded_from_box_or_url(strangers, open_page, made) -> None:
    at = open_page("start")
    at.segmented_control(key="start-model").set_value("Your own").run()
    for source in (made.model, f"{made.model}?dtype=bfloat16"):
        at.text_input(key="start-own-model").set_value(source).run()
        assert "outside of the folders" in said(at)
        assert "Load" not in [each.label for each in at.button]
    assert resources.language_model(made.model) is None
    at = open_page("record", model=made.model)
    press(at, "Load the model and estimate")
    assert finish(at).state == "failed"
    assert resources.language_model(made.model) is None


def test_an_export_is_written_where_it_may(example, strangers, open_page, made) -> None:
    """The folder is checked on the page and again by the job."""
    reach = resources.reach()
    with pytest.raises(PathRefusedError):
        reach.to_write(str(strangers.parent / "elsewhere"))
    run = Run(
        workspace=resources.workspace(), shelf=resources.shelf(), reach=reach,
        report=lambda event: None, cancel=NEVER,
    )  # fmt: skip
    with pytest.raises(PathRefusedError):
        run.target(str(strangers.parent / "elsewhere"))
    assert run.target(str(strangers / "model")) == strangers / "model"
