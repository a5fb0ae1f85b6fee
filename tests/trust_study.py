"""Reliability studies of planted signals and of noise."""

import numpy as np
import pandas as pd
import torch

from fnprune_core.decomposition.group_ica import GroupICA
from fnprune_core.recording.sessions import ArraySessions
from fnprune_core.reliability.reference import TrustSettings, open_study
from fnprune_core.reliability.unmixing import Start

CPU = torch.device("cpu")
QUICK = TrustSettings(n_seeds=5, n_bootstraps=6, n_splits=2, n_null_seeds=3, n_null_splits=1)


def tokens_of(sessions: ArraySessions, *, documents=None, domains=None) -> pd.DataFrame:
    """A token table in which each session is a document of one domain, unless told."""
    of = np.repeat(
        np.arange(sessions.n_sessions),
        [s.stop - s.start for s in map(sessions.session_slice, range(sessions.n_sessions))],
    )
    names = [f"d{i}" for i in range(sessions.n_sessions)] if documents is None else documents
    topics = ["a"] * sessions.n_sessions if domains is None else domains
    return pd.DataFrame(
        {
            "document": pd.Categorical([names[i] for i in of]),
            "domain": pd.Categorical([topics[i] for i in of]),
            "session": of,
        }
    )


def study_of(signals, k=5, *, settings=QUICK, is_shifted=False, max_iter=400, cancel=None):
    sessions = ArraySessions(signals)
    model = GroupICA(n_components=k, n_runs=1, max_iter=max_iter).fit(sessions).result_
    extra = {} if cancel is None else {"cancel": cancel}
    study = open_study(
        sessions, tokens_of(sessions), model, settings=settings, is_shifted=is_shifted, **extra
    )
    return study, model


def run_of(study, *, seed):
    """One run of ICA on the whole recording."""
    pool = study.pools[0]
    components = pool.group_pca(study.equal_weights, len(study.networks[0]))
    start = Start(space=pool, components=components, seed=np.random.SeedSequence(seed))
    return start.task(study.unmixing, study.cancel).best()


def last(results):
    *_, whole = results
    return whole
