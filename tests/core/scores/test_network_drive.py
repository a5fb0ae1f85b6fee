"""The drive of networks: the readout gives their courses, and slopes are those of the Jacobian."""

import dataclasses

import numpy as np
import pytest
import tiny
import torch

from fnprune_core.atlas.network_atlas import NetworkAtlas
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.models.architectures import output_projections
from fnprune_core.models.hooks import edit_projections
from fnprune_core.recording.record import record
from fnprune_core.recording.recording import RecordingSettings, open_recording
from fnprune_core.scores.inputs import RecordedInputs
from fnprune_core.scores.network_drive import network_drive, readout


@pytest.fixture
def atlas(recording) -> NetworkAtlas:
    """Networks of signals that are normalised over the whole recording."""
    settings = GroupICA(n_components=3, n_runs=1, fun="logcosh", normalize="recording")
    return NetworkAtlas(settings.fit(recording).result_, recording.tokens)


def test_the_readout_gives_the_time_courses_but_for_a_constant(recording, atlas) -> None:
    x = np.concatenate([recording.session(i) for i in range(recording.n_sessions)])
    found = x.astype(np.float64) @ readout(atlas, atlas.maps, [2, 0], recording.std)
    for column, network in zip(found.T, (2, 0), strict=True):
        offset = column - atlas.time_courses[network]
        assert np.ptp(offset) < 1e-2 * np.ptp(column)


def test_the_drive_is_the_mean_over_signs_of_the_squared_jacobian(
    workspace, llama, recording, atlas
) -> None:
    windows = tiny.toy_windows((4,), n_dummy_tokens=0, n_documents=1)
    id = record(workspace, llama, windows, settings=RecordingSettings(max_tokens=None))
    inputs = RecordedInputs(
        language_model=llama, recording=open_recording(workspace, id), atlas=atlas,
        preserved=(0, 2),
    )  # fmt: skip
    read = torch.from_numpy(readout(atlas, atlas.maps, [0, 2], inputs.recording.std)).split(
        list(llama.layout.widths)
    )
    projections = output_projections(llama.model, llama.architecture)
    ids = torch.from_numpy(windows.token_ids.astype(np.int64))[None]
    counts = np.array([0.0, 1.0, 1.0, 2.0])

    def courses(gates):
        parts, found = gates.split(list(llama.layout.widths), dim=1), []

        def gated(layer, x):
            x = x * parts[layer]
            found.append(x[0].float() @ read[layer])
            return x

        with edit_projections(projections, edit_input=gated):
            llama.model(ids, use_cache=False)
        return sum(found)[counts > 0]

    jacobian = torch.autograd.functional.jacobian(courses, torch.ones(4, llama.layout.n_units))
    exact = counts @ jacobian.detach().square().sum(dim=(0, 1)).numpy() / counts.sum()
    drawn = [network_drive(inputs, counts, seed=seed) for seed in range(300)]
    assert np.corrcoef(np.mean(drawn, axis=0), exact)[0, 1] > 0.98
    assert np.mean(drawn, axis=0).sum() == pytest.approx(exact.sum(), rel=0.05)
    assert np.array_equal(drawn[3], network_drive(inputs, counts, seed=3))
    assert tiny.is_idle(llama)


def test_of_directions_the_same_is_asked(recording, llama, atlas) -> None:
    inputs = RecordedInputs(
        language_model=llama, recording=recording, atlas=atlas, preserved=(0, 1, 2)
    )
    weights = (~recording.is_dummy).astype(float)
    own, permuted = (network_drive(inputs, weights, kind=kind) for kind in ("networks", "permuted"))
    assert not np.allclose(own, permuted)
    fewer = dataclasses.replace(inputs, preserved=(1,))
    assert (network_drive(fewer, weights) != own).any()
