"""Documents cut into windows of tokens, and the check that two texts don't overlap."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fnprune_core.errors import SettingsError, TextError
from fnprune_core.inputs.numbers import check_most
from fnprune_core.texts.chat import chat_frame
from fnprune_core.texts.documents import Document, round_robin
from fnprune_core.texts.overlap import first_shared_run
from fnprune_core.texts.windows import Windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


MOST_WINDOW = 1 << 40  # a window as long as any text


def cut_windows(  # noqa: PLR0913 - how texts are cut, each by its name
    documents: Sequence[Document],
    tokenizer: "PreTrainedTokenizerBase",
    *,
    window: int = 512,
    n_dummy_tokens: int = 4,
    pack: bool = False,
    max_tokens: int | None = None,
    allow_short: bool = False,
    seed: int | None = None,
    chat: bool = False,
) -> Windows:
    """Tokenise documents and cut them into disjoint windows, domain by domain.

    Parameters
    ----------
    documents : sequence of Document
        Each is tokenised whole, beginning with a BOS if the tokenizer adds one and never ending
        with an EOS. Special tokens written out in a text are read as plain text.
    tokenizer : PreTrainedTokenizerBase
        The model's; it is not changed.
    window : int
        Tokens in a window. What is left at the end of a document is dropped and counted.
    n_dummy_tokens : int
        Tokens at the start of each window to be left out of statistics.
    pack : bool
        Join the documents of each domain before cutting, so that short ones count.
    max_tokens : int, optional
        Keep whole windows up to so many tokens, dealt over the domains in turn and within a
        domain over its documents in turn. Documents that aren't needed aren't read.
    allow_short : bool
        Keep what is left at the end of a document (with `pack`, of a domain), too.
    seed : int, optional
        Draw each domain's windows at random in place of dealing them over documents in turn, so
        that another seed reads other text; all documents are read for it.
    chat : bool
        Put each document into the tokenizer's chat template, as what a user says.

    Returns
    -------
    Windows
        Ordered by domain (as first met), document and position.

    Raises
    ------
    TextError
        If there is no text, or none as long as a window.
    SettingsError
        If a number is out of its range.
    """
    _check_settings(window, n_dummy_tokens, max_tokens)
    cutter = _Cutter(tokenizer, window=window, pack=pack, allow_short=allow_short, chat=chat)
    by_domain: dict[str, list[Document]] = {}
    for document in documents:
        by_domain.setdefault(document.domain, []).append(document)
    queues = [
        cutter.cut(i, domain_documents) for i, domain_documents in enumerate(by_domain.values())
    ]
    if seed is not None:
        random = np.random.default_rng(seed)
        queues = [_shuffled(list(queue), random) for queue in queues]
    dealt_windows = round_robin(queues)
    kept_windows: list[_Window] = []
    n_tokens = 0
    for candidate in dealt_windows:
        if max_tokens is not None and n_tokens + len(candidate.token_ids) > max_tokens:
            break
        kept_windows.append(candidate)
        n_tokens += len(candidate.token_ids)
    if not kept_windows:
        raise _no_window_error(cutter, window)
    kept_windows.sort(key=lambda candidate: candidate.order)
    return _join_windows(kept_windows, by_domain, cutter, n_dummy_tokens=n_dummy_tokens)


def _shuffled(windows: list["_Window"], random: np.random.Generator) -> Iterator["_Window"]:
    return (windows[i] for i in random.permutation(len(windows)))


def shared_run(a: Windows, b: Windows, *, length: int = 50) -> int | None:
    """Return where in the tokens of `b` a run of `length` starts that `a` also has, else None.

    Windows count as one text: a run may go on from one to the next. A million tokens against a
    million take about a second.
    """
    if length < 1:
        raise SettingsError(f"A run of {length} tokens is none.", hint="Ask for 1 or more.")
    return first_shared_run(a.token_ids, b.token_ids, length=length)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Window:
    """A window before it is joined with others; `documents` are numbers within its domain."""

    order: tuple[int, int, int]
    token_ids: NDArray[np.int32]
    documents: NDArray[np.int32]


class _Cutter:
    """Tokenises documents one by one, as windows are drawn from it."""

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        *,
        window: int,
        pack: bool,
        allow_short: bool,
        chat: bool = False,
    ) -> None:
        self._tokenizer = tokenizer
        self._plain_backend: Any = None
        self.window = window
        self._pack = pack
        self._allow_short = allow_short
        self.chat = chat
        self.suffix: list[int] = []
        if chat:
            self.prefix, self.suffix = chat_frame(tokenizer)
        else:
            self.prefix = _prefix_ids(tokenizer)
        self.n_dropped_tokens = 0
        self.longest = ("", 0)

    def cut(self, domain: int, documents: Sequence[Document]) -> Iterator[_Window]:
        """Yield the windows of a domain: the first of each document, then the second, …."""
        if self._pack:
            yield from self._cut_packed(domain, documents)
            return
        windows_of_documents: list[tuple[int, list[NDArray[np.int32]]]] = []
        for number, document in enumerate(documents):
            windows = self._split_windows(self._token_ids(document), document.name)
            if windows:
                yield _window_of_document(windows[0], (domain, number, 0))
                windows_of_documents.append((number, windows))
        for i in range(1, max((len(windows) for _, windows in windows_of_documents), default=0)):
            for number, windows in windows_of_documents:
                if i < len(windows):
                    yield _window_of_document(windows[i], (domain, number, i))

    def _cut_packed(self, domain: int, documents: Sequence[Document]) -> Iterator[_Window]:
        """Yield the windows of a domain whose documents are joined end to end."""
        ids = np.empty(0, dtype=np.int32)
        document_numbers = np.empty(0, dtype=np.int32)
        n_cut = 0
        for number, document in enumerate(documents):
            document_ids = self._token_ids(document)
            ids = np.concatenate([ids, document_ids])
            document_numbers = np.concatenate(
                [document_numbers, np.full(len(document_ids), number, dtype=np.int32)]
            )
            n_whole = len(ids) // self.window * self.window
            for start in range(0, n_whole, self.window):
                span = slice(start, start + self.window)
                yield _Window(
                    order=(domain, n_cut, 0), token_ids=ids[span], documents=document_numbers[span]
                )
                n_cut += 1
            ids, document_numbers = ids[n_whole:], document_numbers[n_whole:]
        if not n_cut and documents:
            self._note_length(f"domain {documents[0].domain}", len(ids))
        if len(ids) and self._allow_short:
            yield _Window(order=(domain, n_cut, 0), token_ids=ids, documents=document_numbers)
        else:
            self.n_dropped_tokens += len(ids)

    def _split_windows(self, ids: NDArray[np.int32], name: str) -> list[NDArray[np.int32]]:
        self._note_length(name, len(ids))
        n_whole = len(ids) // self.window
        windows = [ids[i * self.window : (i + 1) * self.window] for i in range(n_whole)]
        remainder = ids[n_whole * self.window :]
        if len(remainder) and self._allow_short:
            windows.append(remainder)
        else:
            self.n_dropped_tokens += len(remainder)
        return windows

    def _note_length(self, name: str, n_tokens: int) -> None:
        """Keep the longest text, which an error names when nothing can be cut."""
        if n_tokens > self.longest[1]:
            self.longest = (name, n_tokens)

    def _token_ids(self, document: Document) -> NDArray[np.int32]:
        # A lone surrogate, which JSON can carry, is no character that a tokenizer takes.
        text = document.text.encode("utf-8", "replace").decode("utf-8")
        if not text.strip():
            return np.empty(0, dtype=np.int32)
        return np.array([*self.prefix, *self._encoded(text), *self.suffix], dtype=np.int32)

    def _encoded(self, text: str) -> list[int]:
        """Return the ids of `text` without special tokens, not even those it spells out."""
        tokenizer = self._tokenizer
        if not any(token in text for token in tokenizer.all_special_tokens):
            return _ids(tokenizer, text, add_special_tokens=False)
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:  # tokenizers in Python take the option by call
            return _ids(tokenizer, text, add_special_tokens=False, split_special_tokens=True)
        if self._plain_backend is None:
            # The option is a state of the compiled tokenizer, which other threads use: copy it.
            self._plain_backend = copy.deepcopy(backend)
            self._plain_backend.encode_special_tokens = True
            self._plain_backend.no_truncation()
            self._plain_backend.no_padding()
        ids: list[int] = self._plain_backend.encode(text, add_special_tokens=False).ids
        return ids


def _ids(tokenizer: "PreTrainedTokenizerBase", text: str, **options: bool) -> list[int]:
    # verbose=False: a text longer than the model's context is no mistake, it will be cut.
    ids: list[int] = tokenizer(text, verbose=False, return_attention_mask=False, **options)[
        "input_ids"
    ]
    return ids


def _prefix_ids(tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Return the tokens that the tokenizer puts before each text, as a rule a BOS or none."""
    without_special = _ids(tokenizer, "a", add_special_tokens=False)
    with_special = _ids(tokenizer, "a", add_special_tokens=True)
    if not without_special:
        return with_special[:1] if with_special[:1] == [tokenizer.bos_token_id] else []
    for start in range(len(with_special) - len(without_special) + 1):
        if with_special[start : start + len(without_special)] == without_special:
            return with_special[:start]
    return []


def _window_of_document(ids: NDArray[np.int32], order: tuple[int, int, int]) -> _Window:
    return _Window(
        order=order, token_ids=ids, documents=np.full(len(ids), order[1], dtype=np.int32)
    )


def _join_windows(
    windows: Sequence[_Window],
    by_domain: dict[str, list[Document]],
    cutter: _Cutter,
    *,
    n_dummy_tokens: int,
) -> Windows:
    document_names = _unique_names([d for documents in by_domain.values() for d in documents])
    sizes = [len(documents) for documents in by_domain.values()]
    first_numbers = np.cumsum([0, *sizes])
    domains = [np.full(len(w.token_ids), w.order[0], dtype=np.int32) for w in windows]
    document_numbers = [first_numbers[w.order[0]] + w.documents for w in windows]
    used_domains, domain_index = np.unique(np.concatenate(domains), return_inverse=True)
    used_documents, document_index = np.unique(
        np.concatenate(document_numbers), return_inverse=True
    )
    domain_names = list(by_domain)
    return Windows(
        token_ids=np.concatenate([w.token_ids for w in windows]),
        starts=np.cumsum([0, *(len(w.token_ids) for w in windows)]),
        document_index=document_index.astype(np.int32),
        domain_index=domain_index.astype(np.int32),
        document_names=tuple(document_names[i] for i in used_documents),
        domain_names=tuple(domain_names[i] for i in used_domains),
        window=cutter.window,
        n_dummy_tokens=n_dummy_tokens,
        n_dropped_tokens=cutter.n_dropped_tokens,
        adds_bos=bool(cutter.prefix) and not cutter.chat,
        chat=cutter.chat,
    )


def _unique_names(documents: Sequence[Document]) -> list[str]:
    """Name each document, with a number behind names that came before."""
    names: list[str] = []
    used_names: set[str] = set()
    for number, document in enumerate(documents, start=1):
        name = base = document.name or f"text {number}"
        copy_number = 1
        while name in used_names:
            copy_number += 1
            name = f"{base} ({copy_number})"
        used_names.add(name)
        names.append(name)
    return names


def _check_settings(window: int, n_dummy_tokens: int, max_tokens: int | None) -> None:
    check_most("window", window, MOST_WINDOW)
    if window < 2:
        raise SettingsError(
            f"A window of {window} tokens holds no prediction.", hint="Take 2 or more, e.g. 512."
        )
    if not 0 <= n_dummy_tokens < window:
        raise SettingsError(
            f"{n_dummy_tokens} dummy tokens of {window} leave no token to use.",
            hint=f"Take 0 to {window - 1}; 4 is usual.",
        )
    if max_tokens is not None and max_tokens < window:
        raise SettingsError(
            f"At most {max_tokens} tokens is less than one window of {window}.",
            hint=f"Allow {window} or more, or make the window smaller.",
        )


def _no_window_error(cutter: _Cutter, window: int) -> TextError:
    name, n_tokens = cutter.longest
    if not n_tokens:
        return TextError("There is no text to read.", hint="Give a text that is not empty.")
    return TextError(
        f"{name or 'The text'} has {n_tokens} tokens, one window is {window}: nothing to cut.",
        hint="Give a longer text, join short ones (pack), or make the window smaller.",
    )
