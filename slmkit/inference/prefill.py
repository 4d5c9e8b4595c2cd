"""What generating and choosing share: batches that fit in memory, and prompts read into a key-value cache.

Prompts of similar length are batched, padded on the left; their common beginning is read once. A prompt that does not
fit the context gives an output with an error; it is never truncated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from slmkit.errors import is_out_of_memory, out_of_memory
from slmkit.inference.kv_cache import preallocated_cache
from slmkit.models.load import Loaded
from slmkit.models.memory import available_bytes, computes_side_by_side

if TYPE_CHECKING:
    import torch

Prompt = Sequence[int]
OnOutput = Callable[[int, "Output"], None] | None

_MAX_ROWS = {"cpu": 64, "cuda": 256}  # with more rows, the cores or the GPU are already busy
_MAX_ROWS_OF_LARGE = 32  # on a CPU, whose batch of a model of over 20 million parameters takes seconds: progress shows
_MEMORY_SHARE = 0.3  # of the free memory, for the keys and values of one batch
_MIN_SHARED = 8  # tokens of common beginning that are worth a separate forward pass


@dataclass(frozen=True)
class Output:
    """The model's answer to one prompt, and its cost."""

    text: str
    prompt_tokens: int
    completion_tokens: int = 0
    seconds: float = 0.0  # its share of the time its batch took
    stopped: bool = False  # it ended its turn; False: cut off at max_new_tokens
    error: str = ""
    confidence: float | None = None  # the probability of this text, if it was chosen by likelihood


def in_batches(
    loaded: Loaded,
    prompts: Sequence[Prompt],
    answer: Callable[[list[int]], list[Output]],
    *,
    new_tokens: int,
    batch_size: int | None,
    on_output: OnOutput,
) -> list[Output]:
    """One output per prompt, in order, from `answer`, which gets the indices of one batch at a time.

    new_tokens: the most tokens that follow a prompt. batch_size None: as many rows as fit in memory, halved while that
    is too many. Raises: FailedError if a batch of the given size, or a single row, does not fit in memory.
    """
    outputs: dict[int, Output] = {}

    def finish(index: int, output: Output) -> None:
        outputs[index] = output
        if on_output:
            on_output(index, output)

    fits = [len(prompt) + new_tokens <= loaded.context_length for prompt in prompts]
    for index, prompt in enumerate(prompts):
        if not fits[index]:
            error = f"prompt of {len(prompt):,} tokens plus max_new_tokens={new_tokens} exceed the context of "
            finish(index, Output("", len(prompt), error=error + f"{loaded.context_length:,}"))
    waiting = [index for index in range(len(prompts)) if fits[index]]
    waiting.sort(key=lambda index: -len(prompts[index]))  # longest first: too little memory shows early
    size = batch_size or (_rows_in_memory(loaded, len(prompts[waiting[0]]) + new_tokens) if waiting else 1)
    while waiting:
        batch = waiting[:size]
        start = time.perf_counter()
        try:
            found = answer(batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if batch_size or len(batch) == 1:
                fix = "a smaller batch_size or model, or load_in_4bit=true"
                raise out_of_memory(f"answering {len(batch)} prompts at once", fix) from error
            size = len(batch) // 2
            continue
        seconds = (time.perf_counter() - start) / len(batch)
        for index, output in zip(batch, found, strict=True):
            finish(index, replace(output, seconds=seconds))
        waiting = waiting[size:]
    return [outputs[index] for index in range(len(prompts))]


class Prefill:
    """Reads batches of prompts into key-value caches, starting from the prompts' common beginning."""

    def __init__(self, loaded: Loaded, prompts: Sequence[Prompt], *, new_tokens: int) -> None:
        self.model, self.pad = loaded.model, loaded.tokenizer.pad_token_id or 0
        self.window = _window(loaded.model.config)
        # A recurrent state cannot be shared by rows with different padding, and rows cannot be removed from it.
        self.recurrent = bool(getattr(loaded.model, "_is_stateful", False))
        # A sliding window would count padding between the common beginning and the rest as tokens.
        slides = max(map(len, prompts), default=0) + new_tokens > self.window
        shared = 0 if self.recurrent or slides or len(prompts) < 2 else _common_prefix_length(prompts)
        self.shared = list(prompts[0][:shared]) if shared >= _MIN_SHARED else []
        self.shared_cache: Any = None

    def read(self, prompts: Sequence[Prompt]) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """The cache after the prompts, their attention mask (B, T), and the logits of the next token (B, V)."""
        import torch

        num_shared, device = len(self.shared), self.model.device
        rest = [list(prompt[num_shared:]) for prompt in prompts]
        length = max(map(len, rest))
        input_ids = torch.tensor([[self.pad] * (length - len(ids)) + ids for ids in rest], device=device)
        mask = torch.tensor(
            [[1] * num_shared + [0] * (length - len(ids)) + [1] * len(ids) for ids in rest], device=device
        )
        position_ids = (mask.cumsum(1) - 1).clamp(min=0)[:, num_shared:]
        cache = self._start(len(prompts))
        return cache, mask, self.forward(input_ids, mask, position_ids, cache)[:, -1]

    def forward(self, input_ids: Any, mask: Any, position_ids: Any, cache: Any, *, keep: int = 1) -> torch.Tensor:
        """The logits (B, keep, V) of the last `keep` positions; the cache grows by the input."""
        output = self.model(
            input_ids=input_ids,
            attention_mask=mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
        )
        return output.logits.float()  # type: ignore[no-any-return]

    def _start(self, rows: int) -> Any:
        """A cache for this many rows that already contains the common beginning."""
        import torch

        if not self.shared:
            return preallocated_cache(self.model.config)
        if self.shared_cache is None:
            self.shared_cache = preallocated_cache(self.model.config)
            ids = torch.tensor([self.shared], device=self.model.device)
            positions = torch.arange(len(self.shared), device=self.model.device)[None]
            self.forward(ids, torch.ones_like(ids), positions, self.shared_cache)
        cache = deepcopy(self.shared_cache)
        cache.batch_repeat_interleave(rows)
        return cache


def _window(config: Any) -> float:
    """The smallest sliding window of any layer, in tokens; infinity if there is none."""
    unbounded = float("inf")
    return min(
        (getattr(layer, "sliding_window", unbounded) for layer in preallocated_cache(config).layers), default=unbounded
    )


def _common_prefix_length(prompts: Sequence[Prompt]) -> int:
    """The number of first tokens that all prompts share, leaving at least one token of each prompt."""
    first, last = min(map(list, prompts)), max(map(list, prompts))  # in sort order: what these share, all share
    most = min(map(len, prompts)) - 1
    return next((i for i in range(most) if first[i] != last[i]), most)


def _rows_in_memory(loaded: Loaded, length: int) -> int:
    """The number of rows of this length that fit: 2 * layers * K * C values per token, twice while a cache grows."""
    config = loaded.model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    values = 2 * 2 * config.num_hidden_layers * heads * width
    values += 4 * (config.hidden_size + (getattr(config, "intermediate_size", None) or 4 * config.hidden_size))
    device = loaded.model.device
    row_bytes = length * values * loaded.model.dtype.itemsize
    most = _MAX_ROWS_OF_LARGE if computes_side_by_side(loaded.model) else _MAX_ROWS.get(device.type, 64)
    return max(1, min(most, int(available_bytes(device) * _MEMORY_SHARE / row_bytes)))
