"""A recording that keeps a summary can be stopped anywhere, and goes on to the same bytes."""

import numpy as np
import pytest
import tiny

from fnprune_core.progress import Cancelled, CancelToken
from fnprune_core.recording.record import (
    estimate_recording,
    record,
    recording_inputs,
)
from fnprune_core.recording.recording import RecordingSettings, open_recording
from fnprune_core.storage.workspace import Workspace

SUMMARY = RecordingSettings(
    window=32, n_dummy_tokens=2, batch_size=2, keep="summary", most_networks=4
)
STAGES = ("recording", "pca", "projecting")


def recorded(workspace, llama, **options) -> dict[str, bytes]:
    """Record the toy windows; return the files, less the time in the manifest."""
    id = record(workspace, llama, tiny.toy_windows(), settings=SUMMARY, **options)
    return {
        path.name: path.read_bytes()
        for path in workspace.folder("recordings", id).iterdir()
        if path.name not in ("manifest.json", ".lock")
    }


pytestmark = pytest.mark.usefixtures("short_passes")


@pytest.mark.parametrize("stage", STAGES)
def test_stopped_in_any_reading_it_ends_in_the_same_bytes(tmp_path, llama, stage) -> None:
    events = []
    undisturbed = recorded(Workspace(tmp_path / "undisturbed"), llama, progress=events.append)
    assert list(dict.fromkeys(event.stage for event in events)) == list(STAGES)
    workspace, cancel = Workspace(tmp_path / "stopped"), CancelToken()

    def stop(event) -> None:
        if event.stage == stage and event.done >= 4:
            cancel.cancel()

    with pytest.raises(Cancelled):
        recorded(workspace, llama, progress=stop, cancel=cancel)
    assert workspace.entries() == []
    assert tiny.is_idle(llama)
    events.clear()
    assert recorded(workspace, llama, progress=events.append) == undisturbed
    assert events[0].done == (4 if stage == "recording" else 8)  # the first reading is not redone
    assert workspace.unfinished() == []


def test_a_batch_of_any_size_gives_the_same_summary(tmp_path, llama) -> None:
    found = []
    for batch_size in (1, 4):
        workspace = Workspace(tmp_path / str(batch_size))
        settings = RecordingSettings(
            window=32, keep="summary", most_networks=4, batch_size=batch_size
        )
        windows = tiny.toy_windows((32, 32, 20, 32, 32))
        id = record(workspace, llama, windows, settings=settings)
        summary = open_recording(workspace, id).summary
        found.append(summary.group_pca(4, device=llama.device).numpy())
    r = np.abs(np.sum(found[0] * found[1], axis=1)) / np.prod(
        [np.linalg.norm(each, axis=1) for each in found], axis=0
    )
    assert r.min() > 0.999


def test_ids_of_recordings_that_keep_all_are_those_of_before(llama) -> None:
    windows = tiny.toy_windows()
    assert set(recording_inputs(llama, windows, RecordingSettings())) == {
        "fingerprint", "dtype", "text_sha256", "n_dummy_tokens",
    }  # fmt: skip


def test_an_estimate_tells_of_three_readings_and_less_disk(llama) -> None:
    windows = tiny.toy_windows((32,) * 64)
    estimates = [
        estimate_recording(llama, windows, RecordingSettings(window=32, keep=k, most_networks=2))
        for k in ("all", "summary")
    ]
    assert estimates[1].seconds > 2 * estimates[0].seconds
    assert estimates[1].disk_bytes < estimates[0].disk_bytes
    assert estimates[1].memory_bytes > estimates[0].memory_bytes
