"""Chat templates around documents: a part of the recording's id, said and refused where missing."""

import numpy as np
import pytest
import tiny

from fnprune_core.errors import SettingsError
from fnprune_core.evaluation.compare import evaluation_windows
from fnprune_core.evaluation.perplexity import protocol_of
from fnprune_core.models.language_model import wrap_model
from fnprune_core.recording.record import record_texts
from fnprune_core.recording.recording import RecordingSettings, open_recording
from fnprune_core.texts.chat import chat_frame
from fnprune_core.texts.cutting import cut_windows
from fnprune_core.texts.documents import Document

TEMPLATE = "aq ar {% for turn in messages %}{{ turn.content }} as{% endfor %} at"


@pytest.fixture
def chatting():
    """A tiny Llama whose tokenizer has a template."""
    tokenizer = tiny.toy_tokenizer()
    tokenizer.chat_template = TEMPLATE
    return wrap_model(tiny.tiny_model("Llama"), tokenizer, name="chatting")


def test_what_stands_around_a_document_is_what_the_template_says(chatting) -> None:
    before, behind = chat_frame(chatting.tokenizer)
    assert before == chatting.tokenizer("aq ar")["input_ids"]
    assert behind == chatting.tokenizer("as at")["input_ids"]
    document = Document(text="au av au av", domain="d", name="n")
    plain = cut_windows([document], chatting.tokenizer, window=4, n_dummy_tokens=0)
    windows = cut_windows([document], chatting.tokenizer, window=8, n_dummy_tokens=0, chat=True)
    assert windows.chat
    assert not plain.chat
    assert windows.token_ids.tolist() == [*before, *plain.token_ids.tolist(), *behind]


def test_a_recording_says_whether_it_is_applied_and_has_another_id(chatting, workspace) -> None:
    documents = tiny.toy_documents()
    ids = {}
    for chat in (False, True):
        settings = RecordingSettings(window=32, n_dummy_tokens=2, max_tokens=256, chat=chat)
        ids[chat] = record_texts(workspace, chatting, documents, settings=settings)
        recording = open_recording(workspace, ids[chat])
        assert recording.windows.chat is chat
        assert recording.manifest["inputs"].get("chat", False) is chat
    assert ids[False] != ids[True]
    assert np.isfinite(open_recording(workspace, ids[True]).std).all()


def test_an_evaluation_says_whether_it_is_applied(chatting) -> None:
    for chat in (False, True):
        windows = evaluation_windows(chatting, tiny.toy_documents(), window=32, chat=chat)
        assert protocol_of(chatting.model, windows).chat is chat


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (None, "has no chat template"),
        ("{{ raise_exception('no') }}", "refused a chat"),
        ("aq", "does not repeat"),
        ("{{ messages[0].content }}{{ messages[0].content }}", "does not repeat once"),
    ],
)
def test_where_it_cannot_be_applied_the_refusal_says_so(chatting, template, says) -> None:
    chatting.tokenizer.chat_template = template
    with pytest.raises(SettingsError, match=says):
        cut_windows(tiny.toy_documents(), chatting.tokenizer, window=16, chat=True)
