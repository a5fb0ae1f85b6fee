"""A tokenizer's chat template around a document: what stands before and behind a user's words."""

from typing import TYPE_CHECKING

from fnprune_core.errors import SettingsError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_WORDS = "fnprune-puts-the-document-here"


def has_chat_template(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Whether a tokenizer has a chat template."""
    return bool(getattr(tokenizer, "chat_template", None))


def chat_frame(tokenizer: "PreTrainedTokenizerBase") -> tuple[list[int], list[int]]:
    """Return the tokens before and behind what a user says, in a chat of one turn.

    Raises
    ------
    SettingsError
        If there is no template, or it does not repeat what the user says.
    """
    if not has_chat_template(tokenizer):
        raise SettingsError(
            "The tokenizer of this model has no chat template.",
            hint="Read the texts as they are, without one.",
        )
    try:
        text = str(
            tokenizer.apply_chat_template([{"role": "user", "content": _WORDS}], tokenize=False)
        )
    except Exception as error:  # a template is a program of the checkpoint's own
        raise SettingsError(
            f"The chat template of this model refused a chat of one turn: {error}.",
            hint="Read the texts as they are, without it.",
        ) from error
    before, found, behind = text.partition(_WORDS)
    if not found or _WORDS in behind:
        raise SettingsError(
            "The chat template of this model does not repeat once what the user says.",
            hint="Read the texts as they are, without it.",
        )
    parts = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in (before, behind))
    first, last = map(list, parts)
    return first, last
