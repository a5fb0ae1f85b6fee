"""Forms of settings; the choices stay while the session lasts."""

import streamlit as st

from app.shell import glossary
from app.widgets.controls import choose, number
from fnprune_core.decomposition.group_ica import OF_SUMMARY, GroupICA
from fnprune_core.recording.recording import RecordingSettings

#: Key of the number of networks, so that a page can set it.
K = "ica-k"
MOST_NETWORKS = 1024
TOKENS = [4096, 8192, 16384, 32768, 65536, 131072, 262144]
LABELS = {
    "model": "Whole model",
    "layer": "Each layer by itself",
    "fastica": "FastICA",
    "picard": "Picard",
    "cube": "cube",
    "logcosh": "log cosh",
    "recording": "Whole recording",
    "session": "Each session",
    "all": "All signals",
    "summary": "A summary",
}


def choice(label: str, options: list[str], *, key: str, tip: str | None = None) -> str:
    """Return the chosen one of few options."""
    return choose(
        label, options, words=LABELS.__getitem__, key=key, help=tip, is_labelled=True, is_kept=True
    )


def recording_settings() -> RecordingSettings:
    """Return the chosen settings of a recording; the defaults suit most."""
    tokens = st.select_slider(
        "Maximum number of tokens",
        TOKENS,
        value=16384,
        format_func=lambda n: f"{n:,}",
        key="record-tokens",
        persist_state="session",
    )
    keep, most_networks = _kept()
    with st.expander("How texts are cut", icon=":material/tune:"):
        window = number(
            "Window, tokens", 16, 8192, 512, key="record-window", help=glossary.tip("run")
        )
        dummy = number(
            "Dummy tokens at the start of each window",
            0,
            64,
            4,
            key="record-dummy",
            help=glossary.tip("dummy"),
        )
        pack = st.toggle(
            "Join short documents of a domain", key="record-pack", persist_state="session"
        )
        chat = st.toggle(
            "Apply the chat template",
            key="record-chat",
            persist_state="session",
            help="Each document stands in the model's chat template, as what a user says. For "
            "models that were trained to chat.",
        )
        seed = st.number_input(
            "Seed for choosing windows",
            0,
            999_999,
            None,
            placeholder="none: from each document in turn",
            key="record-seed",
            persist_state="session",
            help="If there is more text than is read, the seed decides which windows are read. "
            "Another seed shows how much networks and plans depend on the text.",
        )
    return RecordingSettings(
        window=int(window),
        n_dummy_tokens=int(dummy),
        max_tokens=tokens,
        pack=pack,
        seed=None if seed is None else int(seed),
        keep=keep,
        most_networks=most_networks,
        chat=chat,
    )


def _kept() -> tuple[str, int]:
    """Return what of the signals is kept, and up to how many networks a summary holds."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        keep = choice(
            "Keep",
            ["all", "summary"],
            key="record-keep",
            tip="A summary keeps what atlases, scores and refits need, on a fraction of the disk; "
            "the texts are read three times. Single units have no time courses then, and carpets, "
            "thresholds by chance and reliability cannot be had.",
        )
        if keep == "all":
            return keep, RecordingSettings().most_networks
        most_networks = number(
            "Most networks",
            1,
            MOST_NETWORKS,
            RecordingSettings().most_networks,
            key="record-most-networks",
            width=150,
            help="Up to so many networks can be found in the summary. The disk that it takes "
            "grows with them.",
        )
    return keep, int(most_networks)


def ica_settings(*, most_networks: int | None = None) -> GroupICA:
    """Return the chosen K, scope and algorithm.

    Parameters
    ----------
    most_networks : int, optional
        Of a recording that keeps a summary, which then alone is offered; None if it keeps all.
    """
    is_whole = most_networks is None
    most = MOST_NETWORKS if most_networks is None else min(most_networks, MOST_NETWORKS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        k = number(
            "Networks (K)",
            min(2, most),
            most,
            min(GroupICA().n_components, most),
            key=K,
            width=150,
            help=f"{glossary.tip('n_components')}  \nMore tokens support more networks; 64 suits "
            "16,000 tokens.",
        )
        scope = OF_SUMMARY["scope"]
        if is_whole:
            scope = choice("Scope", ["model", "layer"], key="ica-scope")
        algorithm = choice("Algorithm", ["fastica", "picard"], key="ica-algorithm")
        runs = number(
            "Runs",
            1,
            50,
            5,
            key="ica-runs",
            width=130,
            help=f"From different random starts.  \n{glossary.tip('run_agreement')}",
        )
    if not is_whole:
        st.caption(
            f"A summary was kept: it gives up to {most_networks:,} networks, of the whole model, "
            "units scaled over the recording. For others, record again and keep all signals."
        )
    with st.expander("More settings", icon=":material/tune:"):
        fun = choice("Contrast", ["cube", "logcosh"], key="ica-fun")
        normalize = OF_SUMMARY["normalize"]
        if is_whole:
            normalize = choice(
                "Scale units over",
                ["recording", "session"],
                key="ica-normalize",
                tip="Over each session, as is usual for fMRI, differences between domains vanish.",
            )
        max_iter = number("Maximum number of iterations", 10, 5000, 400, key="ica-iterations")
        seed = number("Seed", 0, 2**31 - 1, 0, key="ica-seed")
    return GroupICA(
        n_components=int(k),
        scope=scope,
        algorithm=algorithm,
        fun=fun,
        n_runs=int(runs),
        normalize=normalize,
        max_iter=int(max_iter),
        seed=int(seed),
    )
