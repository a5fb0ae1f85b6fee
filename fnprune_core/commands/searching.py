"""What the commands that search how a cut is divided share: the text on which plans are tried."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fnprune_core.commands.options import TextOptions, documents_from
from fnprune_core.storage import Workspace

if TYPE_CHECKING:
    from fnprune_core.models.language_model import LanguageModel
    from fnprune_core.texts.cutting import Windows


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
    from fnprune_core.pruning.search_trials import unread_windows
    from fnprune_core.texts.cutting import builtin_documents

    return unread_windows(
        language_model,
        documents_from(texts, TextOptions()) if texts else builtin_documents(split="calibration"),
        open_recording(workspace, recording_id),
        max_windows=max_windows,
    )
