"""The byte-level BPE tokenizer of the bundled models, and their chat template.

The vocabulary is trained on the words of the micro-world rather than on its running text: every content word becomes
one token and every name two, whatever the mix of documents. Tokens of content words begin with a space (" oak" and
"oak" are different tokens), so the template and the corpus begin every line and turn with one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from slmkit.micro_world import skills, vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VOCAB_SIZE = 2048  # upper limit; the micro-world needs fewer
CONTEXT_LENGTH = 1024
PAD, BOS, END = "<|pad|>", "<|bos|>", "<|end|>"
SPECIAL = (PAD, BOS, END, "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")
THINK = ("<think>", "</think>")

# The end-of-turn token is inside the generation block, so that it is trained.
CHAT_TEMPLATE = """\
{{- '<|bos|>' -}}
{%- for message in messages -%}
{%- set content = ' ' ~ (message['content'] | trim | replace('\\n', '\\n ')) -%}
{{- '<|' ~ message['role'] ~ '|>' -}}
{%- if message['role'] == 'assistant' -%}
{% generation %}{{- content ~ '<|end|>' -}}{% endgeneration %}
{%- else -%}
{{- content ~ '<|end|>' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"""


def tokenizer() -> PreTrainedTokenizerFast:
    """Builds the tokenizer; the result is always the same."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE - len(THINK),
        special_tokens=list(SPECIAL),
        initial_alphabet=_utf8_alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(_lessons(), trainer=trainer)
    bpe.add_tokens([AddedToken(text, lstrip=True, normalized=False) for text in THINK])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=END,
        extra_special_tokens=list(SPECIAL[3:]),
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT_LENGTH,
        clean_up_tokenization_spaces=False,
    )


def all_words() -> list[str]:
    """Every word in a wording or value of the micro-world, sorted."""
    found: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, str):
            found.update(re.findall(r"(?<![{a-z])[a-z0-9]+(?!})", value))
        elif isinstance(value, vocabulary.Relation):
            collect((value.noun, value.values, value.statements, value.questions))
        elif isinstance(value, dict):
            collect(tuple(value.items()))
        elif isinstance(value, tuple):
            for part in value:
                collect(part)

    for name, value in vars(vocabulary).items():
        if name.isupper() and name not in ("FIRST", "SECOND"):
            collect(value)
    collect((skills.FRAMES, skills.STEP_BY_STEP, skills.AT_ONCE, tuple(skills.SKILLS)))
    collect(tuple(own for own, _ in skills.SKILLS.values()))
    return sorted(found)


def _lessons() -> list[str]:
    """The training text of the merges: mostly syllables, so that no merge of a word crosses the middle of a name."""
    lines = [f" {first}\n{second}" for first, second in zip(vocabulary.FIRST, vocabulary.SECOND, strict=True)] * 400
    lines += [" " + word for word in all_words()] * 20
    return lines + [" " + letter for letter in "abcdefghijklmnopqrstuvwxyz"] * 20


def _utf8_alphabet() -> list[str]:
    """The byte symbols that occur in valid UTF-8; the 13 others of the 256 need no id."""
    from tokenizers.pre_tokenizers import ByteLevel

    pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    leads = [chr(code) for code in (*range(0x80), *range(0x80, 0x800, 0x40), *range(0x800, 0x10000, 0x1000), 0x7FF)]
    leads = [char for char in leads if not 0xD800 <= ord(char) < 0xE000]
    text = "".join(
        [*leads, *(chr(0x80 + low) for low in range(0x40)), "\U00010000\U00040000\U00080000\U000c0000\U00100000"]
    )
    text += chr(0xD000)
    return sorted({symbol for piece, _ in pre_tokenizer.pre_tokenize_str(text) for symbol in piece})
