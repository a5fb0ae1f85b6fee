"""The benchmark of drop costs, on a tiny model: what it measures are the exact plans' losses."""

import argparse
import warnings

import drop_costs
import numpy as np
import pytest
import tiny

from fnprune_core.decomposition import group_ica
from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.errors import NotConvergedWarning
from fnprune_core.evaluation import compare
from fnprune_core.recording import record
from fnprune_core.recording.recording import RecordingSettings


def test_estimates_stand_beside_the_losses_of_exact_plans(workspace, llama, monkeypatch) -> None:
    documents = tiny.toy_documents(n_per_domain=4, n_words=130)
    settings = RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=None)
    recording = record.record_texts(
        workspace, llama, [*documents[:3], *documents[4:7]], settings=settings
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        group_ica.decompose(
            workspace, recording, settings=GroupICA(n_components=4, n_runs=2, max_iter=60)
        )
    windows = compare.evaluation_windows
    monkeypatch.setattr(drop_costs, "load_model", lambda name: llama)
    monkeypatch.setattr(drop_costs, "builtin_documents", lambda split: [documents[3], documents[7]])
    monkeypatch.setattr(
        drop_costs, "evaluation_windows",
        lambda model, texts, max_windows: windows(model, texts, window=32),
    )  # fmt: skip
    found = drop_costs.correlate(
        argparse.Namespace(
            workspace=workspace.root, networks=3, ratio=0.4, compensation="none", windows=8
        )
    )
    rows = found["networks"]
    assert len({row["network"] for row in rows}) == 3
    energies = [row["energy"] for row in rows]
    assert energies == sorted(energies)
    for name in drop_costs.ESTIMATES:
        ranks = [
            np.argsort(np.argsort([row[key] for row in rows])) for key in (name, "loss_of_all")
        ]
        if len({row[name] for row in rows}) == 3:
            expected = np.corrcoef(*ranks)[0, 1]
            assert found["rank_correlation"][f"{name} with loss_of_all"] == pytest.approx(expected)
    assert all(np.isfinite(row["loss_where_active"]) for row in rows)
    assert len(workspace.ids("plans")) == 4
