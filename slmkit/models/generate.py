"""Prompts to answers in batches: like lengths together, their common beginning computed once, finished rows let go.

A prompt that does not fit the context is answered with an error, never cut. Greedy unless a temperature is given.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slmkit.models.chat import render_text
from slmkit.models.load import Loaded, out_of_memory

if TYPE_CHECKING:
    import torch

_MAX_ROWS = {"cpu": 64, "cuda": 256}  # more rows gain nothing: the cores, or the GPU, are then busy
_MEMORY_SHARE = 0.3  # of the free memory, for the keys and values of one batch
_MIN_SHARED = 8  # tokens of common beginning worth a forward pass of their own


@dataclass(frozen=True)
class Output:
    """What the model wrote after one prompt, and what that cost."""

    text: str
    prompt_tokens: int
    completion_tokens: int = 0
    seconds: float = 0.0  # its share of the time its batch took
    stopped: bool = False  # it ended its turn; False: cut at max_new_tokens
    error: str = ""


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn; temperature 0 takes the likeliest. Each prompt draws from its own seeded stream."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


GREEDY = Sampling()


def generate(
    loaded: Loaded,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int = 64,
    batch_size: int | None = None,
    sampling: Sampling = GREEDY,
    on_output: Callable[[int, Output], None] | None = None,
) -> list[Output]:
    """One output a prompt, in the same order; on_output(index, output) hears of each as its batch ends.

    batch_size None: as many rows as memory holds, halved where that was too many.
    Raises: FailedError when even one row does not fit into memory.
    """
    outputs: list[Output | None] = [None] * len(prompts)

    def settle(index: int, output: Output) -> None:
        outputs[index] = output
        if on_output:
            on_output(index, output)

    fitting = []
    for index, prompt in enumerate(prompts):
        if len(prompt) + max_new_tokens > loaded.context_length:
            error = f"prompt of {len(prompt):,} tokens and max_new_tokens={max_new_tokens} exceed the context of "
            settle(index, Output("", len(prompt), error=error + f"{loaded.context_length:,}"))
        else:
            fitting.append(index)
    waiting = sorted(
        fitting, key=lambda index: -len(prompts[index])
    )  # the longest first: too little memory shows early
    decoder = _Decoder(loaded, [prompts[index] for index in waiting], max_new_tokens, sampling)
    size = batch_size or _rows_in_memory(loaded, max_new_tokens, len(prompts[waiting[0]]) if waiting else 1)
    while waiting:
        batch = waiting[:size]
        start = time.perf_counter()
        try:
            rows = decoder.answer([list(prompts[index]) for index in batch], batch)
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            if "memory" not in str(error).lower():
                raise
            if batch_size or size == 1:
                raise out_of_memory(
                    f"answering {size} at once", "a smaller batch_size or model, or load_in_4bit"
                ) from error
            size //= 2
            continue
        seconds = (time.perf_counter() - start) / len(batch)
        texts = loaded.tokenizer.batch_decode([ids for ids, _ in rows], skip_special_tokens=True)
        for index, (ids, stopped), text in zip(batch, rows, texts, strict=True):
            settle(index, Output(text.strip(), len(prompts[index]), len(ids), seconds, stopped))
        waiting = waiting[size:]
    assert all(outputs) or not prompts
    return [output for output in outputs if output]


def stop_ids(loaded: Loaded) -> set[int]:
    """The tokens that end an answer: end of sequence, and what the chat template writes after an assistant turn."""
    named = [loaded.tokenizer.eos_token_id, getattr(loaded.model.generation_config, "eos_token_id", None)]
    ids = {id for value in named if value is not None for id in (value if isinstance(value, list) else [value])}
    if loaded.tokenizer.chat_template:
        [text] = render_text(
            loaded.tokenizer,
            [[{"role": "user", "content": "ping"}, {"role": "assistant", "content": "pong"}]],
            add_generation_prompt=False,
        )
        after = loaded.tokenizer(text.rpartition("pong")[2], add_special_tokens=False)["input_ids"]
        ids.update([id for id in after if id in loaded.tokenizer.all_special_ids][:1])
    return ids


class _Decoder:
    """Answers batches of prompts; keeps the keys and values of the beginning that all prompts share."""

    def __init__(self, loaded: Loaded, prompts: Sequence[Sequence[int]], max_new_tokens: int, sampling: Sampling):
        self.model, self.pad = loaded.model, loaded.tokenizer.pad_token_id or 0
        self.stops, self.max_new_tokens, self.sampling = stop_ids(loaded), max_new_tokens, sampling
        # A model with a recurrent state cannot start from a shared, padded beginning, nor give rows back early.
        self.recurrent = bool(getattr(loaded.model, "_is_stateful", False))
        shared = 0 if self.recurrent or len(prompts) < 2 else _common_prefix(prompts)
        self.prefix = list(prompts[0][:shared]) if shared >= _MIN_SHARED else []
        self.prefix_cache: Any = None

    def answer(self, prompts: list[list[int]], indices: list[int]) -> list[tuple[list[int], bool]]:
        """The new token ids of each prompt without its stop token, and whether it stopped."""
        import torch

        if self.max_new_tokens < 1:
            return [([], False) for _ in prompts]
        device = self.model.device
        given = len(self.prefix)
        rest = [prompt[given:] for prompt in prompts]
        length = max(map(len, rest))
        input_ids = torch.tensor([[self.pad] * (length - len(ids)) + ids for ids in rest], device=device)  # (B, T)
        mask = torch.tensor([[1] * given + [0] * (length - len(ids)) + [1] * len(ids) for ids in rest], device=device)
        mask = torch.cat([mask, mask.new_ones(len(rest), self.max_new_tokens)], dim=1)  # (B, given + T + new)
        position_ids = (mask.cumsum(1) - 1).clamp(min=0)
        generators = [self._generator(index) for index in indices]

        written: list[list[int]] = [[] for _ in prompts]
        stopped = [False] * len(prompts)
        alive = list(range(len(prompts)))  # the row of each line still in the batch
        with torch.inference_mode():
            cache = self._start(len(prompts))
            seen = given + length
            logits = self._forward(input_ids, mask[:, :seen], position_ids[:, given:seen], cache)  # (B, V)
            for step in range(self.max_new_tokens):
                tokens = self._pick(logits, [generators[row] for row in alive])
                for row, token in zip(alive, tokens, strict=True):
                    if token in self.stops:
                        stopped[row] = True
                    elif not stopped[row]:
                        written[row].append(token)
                going = [line for line, row in enumerate(alive) if not stopped[row]]
                if not going or step == self.max_new_tokens - 1:
                    break
                if len(going) < len(alive) and not self.recurrent:
                    kept = torch.tensor(going, device=device)
                    cache.batch_select_indices(kept)
                    mask, position_ids = mask[kept], position_ids[kept]
                    alive, tokens = [alive[line] for line in going], [tokens[line] for line in going]
                seen += 1
                next_ids = torch.tensor(tokens, device=device)[:, None]
                logits = self._forward(next_ids, mask[:, :seen], position_ids[:, seen - 1 : seen], cache)
        return list(zip(written, stopped, strict=True))

    def _forward(self, input_ids: Any, mask: Any, position_ids: Any, cache: Any) -> torch.Tensor:
        output = self.model(
            input_ids=input_ids,
            attention_mask=mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1].float()  # type: ignore[no-any-return]

    def _start(self, rows: int) -> Any:
        """A cache that already holds the shared beginning, for so many rows."""
        import torch
        from transformers import DynamicCache

        if not self.prefix:
            return DynamicCache(config=self.model.config)
        if self.prefix_cache is None:
            cache = DynamicCache(config=self.model.config)
            ids = torch.tensor([self.prefix], device=self.model.device)
            positions = torch.arange(len(self.prefix), device=self.model.device)[None]
            self._forward(ids, torch.ones_like(ids), positions, cache)
            self.prefix_cache = cache
        cache = deepcopy(self.prefix_cache)
        cache.batch_repeat_interleave(rows)
        return cache

    def _generator(self, index: int) -> torch.Generator | None:
        import torch

        if not self.sampling.temperature:
            return None
        return torch.Generator().manual_seed(self.sampling.seed * 1_000_003 + index)

    def _pick(self, logits: torch.Tensor, generators: list[torch.Generator | None]) -> list[int]:
        """The next token of each row."""
        import torch

        if not self.sampling.temperature:
            return logits.argmax(-1).tolist()  # type: ignore[no-any-return]
        probabilities = (logits / self.sampling.temperature).softmax(-1).cpu()
        ordered, ids = probabilities.sort(-1, descending=True)
        ordered[ordered.cumsum(-1) - ordered >= self.sampling.top_p] = 0  # keeps the first token that reaches top_p
        draws = [torch.multinomial(row, 1, generator=it) for row, it in zip(ordered, generators, strict=True)]
        return ids.gather(-1, torch.stack(draws))[:, 0].tolist()  # type: ignore[no-any-return]


def _common_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """How many first tokens all prompts share, leaving each at least one of its own."""
    first, last = (
        min(map(list, prompts)),
        max(map(list, prompts)),
    )  # in dictionary order, so what these two share all share
    most = min(map(len, prompts)) - 1
    return next((i for i in range(most) if first[i] != last[i]), most)


def _rows_in_memory(loaded: Loaded, max_new_tokens: int, longest: int) -> int:
    """How many rows fit: 2 * layers * K * C values a token for keys and values, twice over while a cache grows."""
    import torch

    config = loaded.model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    values = 2 * 2 * config.num_hidden_layers * heads * width
    values += 4 * (config.hidden_size + (getattr(config, "intermediate_size", None) or 4 * config.hidden_size))
    device = loaded.model.device
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    else:
        import psutil

        free = psutil.virtual_memory().available
    row_bytes = (longest + max_new_tokens) * values * loaded.model.dtype.itemsize
    return max(1, min(_MAX_ROWS.get(device.type, 64), int(free * _MEMORY_SHARE / row_bytes)))
