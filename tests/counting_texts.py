"""Texts that count, and a tokenizer that knows their words."""

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from fnprune_core.texts.cutting import cut_windows
from fnprune_core.texts.documents import Document
from fnprune_core.texts.windows import Windows

BOS, EOS = 0, 1


def word_tokenizer(template: str | None = None) -> PreTrainedTokenizerFast:
    """Words "0" to "999" are the ids 10 to 1009; anything else is 2; `template` adds tokens."""
    vocabulary = {"<s>": BOS, "</s>": EOS, "?": 2, **{str(n): n + 10 for n in range(1000)}}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if template is not None:
        backend.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=[("<s>", BOS), ("</s>", EOS)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", model_max_length=8
    )


def counting(n: int, start: int = 0) -> str:
    return " ".join(str((start + i) % 1000) for i in range(n))


def cut(*texts: str | Document, template: str | None = None, **options: object) -> Windows:
    made = [t if isinstance(t, Document) else Document(t) for t in texts]
    return cut_windows(made, word_tokenizer(template), **options)  # type: ignore[arg-type]
