"""What the commands that search how a cut is divided share: the text on which plans are tried."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fnprune_core.commands.options import TextOptions, documents_from
from fnprune_core.storage import Workspace

if TYPE_CHECKING:
    from fnprune_core.corpora import Windows
    from fnprune_core.models import LanguageModel


def search_windows(
    workspace: Workspace,
    language_model: "LanguageModel",
    recording_id: str,
    texts: Sequence[str] | None,
    *,
    max_windows: int,
) -> "Windows":
    """Return windows of the texts, or of the built-in ones, that the recording did not read."""
    from fnprune_core.artifacts import open_recording
    from fnprune_core.corpora import builtin_documents
    from fnprune_core.trials import unread_windows

    return unread_windows(
        language_model,
        documents_from(texts, TextOptions()) if texts else builtin_documents(split="calibration"),
        open_recording(workspace, recording_id),
        max_windows=max_windows,
    )
