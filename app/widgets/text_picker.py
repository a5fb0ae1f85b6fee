"""The widget that chooses texts, for calibration and for evaluation alike."""

from pathlib import Path

import streamlit as st

from app.shell import resources, wording
from app.shell.jobs.job import describe_error
from app.shell.text_choice import ROW_SUFFIXES, TextChoice, columns_of
from app.widgets import frame
from app.widgets.controls import choose
from fnprune_core.errors import FnpruneError
from fnprune_core.inputs.files import path_of

_BUILT_IN, _UPLOAD, _NAMED = "Built-in texts", "Upload", "Path or data set"
_TYPES = ["txt", "md", "py", "json", "jsonl", "ndjson", "csv", "tsv", "parquet"]
_NONE = "(none)"


def pick_texts(key: str, *, split: str) -> TextChoice | None:
    """Return the choice of texts, None while it is incomplete or wrong.

    Parameters
    ----------
    split : {"calibration", "held-out"}
        Of the built-in texts.
    """
    kind = choose(
        "Texts",
        [_BUILT_IN, _UPLOAD, _NAMED],
        key=f"{key}-kind",
        default=_BUILT_IN,
        is_labelled=True,
        is_kept=True,
    )
    try:
        if kind == _BUILT_IN:
            choice = _choose_built_in(key, split)
        elif kind == _UPLOAD:
            choice = _choose_uploaded(key)
        else:
            choice = _choose_named(key)
        if choice is not None and not choice.needs_network:
            _show_counts(choice)
    except FnpruneError as error:
        frame.error(describe_error(error))
        return None
    return choice


def _choose_built_in(key: str, split: str) -> TextChoice | None:
    documents = resources.documents(TextChoice(split=split))
    names = list(dict.fromkeys(document.domain for document in documents))
    domains = st.pills(
        "Domains",
        names,
        selection_mode="multi",
        format_func=wording.plain,
        default=names,
        key=f"{key}-domains",
        persist_state="session",
    )
    if not domains:
        st.info("Choose at least one domain.", icon=":material/info:")
        return None
    return TextChoice(split=split, domains=tuple(name for name in names if name in domains))


def _choose_uploaded(key: str) -> TextChoice | None:
    files = st.file_uploader(
        "Text files, or tables with a text in each row",
        type=_TYPES,
        accept_multiple_files=True,
        key=f"{key}-files",
    )
    if not files:
        return None
    paths = [resources.upload(file.name, file.getvalue()) for file in files]
    return _with_columns(key, [str(path) for path in paths])


def _choose_named(key: str) -> TextChoice | None:
    source = st.text_input(
        "File, folder, or `datasets` id",
        placeholder="./corpus, or wikitext:wikitext-2-raw-v1:validation",
        key=f"{key}-source",
        persist_state="session",
        help="In a folder, the first sub-folder is the domain. A data set: name:config:split.",
    ).strip()
    return _with_columns(key, [source]) if source else None


def _with_columns(key: str, sources: list[str]) -> TextChoice:
    """Return the choice with the columns of text, domain and document, where there are columns."""
    TextChoice(sources=tuple(sources)).check(resources.reach())
    tables = [path_of(s) for s in sources if Path(s).suffix.lower() in ROW_SUFFIXES]
    columns = list(dict.fromkeys(c for path in tables if path.is_file() for c in columns_of(path)))
    if not columns:
        return TextChoice(sources=tuple(sources), max_documents=_max_rows(sources))
    row = st.columns(3)
    text = row[0].selectbox(
        "Column with the text",
        columns,
        index=columns.index("text") if "text" in columns else 0,
        key=f"{key}-text-column",
    )
    choices = [_NONE, *columns]
    domain = row[1].selectbox("Domain", choices, key=f"{key}-domain-column")
    document = row[2].selectbox("Document", choices, key=f"{key}-document-column")
    return TextChoice(
        sources=tuple(sources),
        text_column=text,
        domain_column="" if domain == _NONE else domain,
        document_column="" if document == _NONE else document,
    )


def _max_rows(sources: list[str]) -> int | None:
    """Return how many rows of a data set to read: it may be endless, a file is not."""
    return 2000 if TextChoice(sources=tuple(sources)).needs_network else None


def _show_counts(choice: TextChoice) -> None:
    documents = resources.documents(choice)
    counts: dict[str, int] = {}
    for document in documents:
        counts[document.domain] = counts.get(document.domain, 0) + 1
    domain_counts = [f"{wording.plain(name)} ({number})" for name, number in counts.items()]
    listed = ", ".join(domain_counts[:8]) + (" and more" if len(domain_counts) > 8 else "")
    st.caption(f"{wording.count(len(documents), 'document')}: {listed}")
