"""Generates answers in batches, greedily or by sampling; rows that have ended are removed from the batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slmkit.inference.prefill import OnOutput, Output, Prefill, Prompt, in_batches
from slmkit.models.chat_template import render_text
from slmkit.models.load import Loaded

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Sampling:
    """How the next token is sampled; temperature 0 is greedy. Each prompt has its own seeded random stream."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


GREEDY = Sampling()

_SHRINK_BELOW = 0.75  # removing rows copies the cache, so it is done only when at most this share continues


def generate(
    loaded: Loaded,
    prompts: Sequence[Prompt],
    *,
    max_new_tokens: int = 64,
    batch_size: int | None = None,
    sampling: Sampling = GREEDY,
    on_output: OnOutput = None,
) -> list[Output]:
    """One output per prompt, in order; on_output(index, output) is called as each batch ends.

    batch_size None: as many rows as fit in memory.
    """
    prefill, stops = Prefill(loaded, prompts, new_tokens=max_new_tokens), stop_ids(loaded)

    def answer(batch: list[int]) -> list[Output]:
        rows = _decode(
            prefill,
            [prompts[index] for index in batch],
            stops=stops,
            max_new_tokens=max_new_tokens,
            sample=_Sampler(sampling, batch),
        )
        texts = loaded.tokenizer.batch_decode([ids for ids, _ in rows], skip_special_tokens=True)
        return [
            Output(text.strip(), len(prompts[index]), len(ids), stopped=stopped)
            for index, (ids, stopped), text in zip(batch, rows, texts, strict=True)
        ]

    return in_batches(loaded, prompts, answer, new_tokens=max_new_tokens, batch_size=batch_size, on_output=on_output)


def stop_ids(loaded: Loaded) -> set[int]:
    """The tokens that end an answer: end of sequence, and the chat template's end of turn."""
    named = [loaded.tokenizer.eos_token_id, getattr(loaded.model.generation_config, "eos_token_id", None)]
    ids = {id for value in named if value is not None for id in (value if isinstance(value, list) else [value])}
    if loaded.tokenizer.chat_template:
        chat = [{"role": "user", "content": "ping"}, {"role": "assistant", "content": "pong"}]
        [text] = render_text(loaded.tokenizer, [chat], add_generation_prompt=False)
        after = loaded.tokenizer(text.rpartition("pong")[2], add_special_tokens=False)["input_ids"]
        ids.update([id for id in after if id in loaded.tokenizer.all_special_ids][:1])
    return ids


class _Sampler:
    """Samples the next token of each row from the row's own random stream, independent of its batch."""

    def __init__(self, sampling: Sampling, indices: Sequence[int]) -> None:
        self.sampling = sampling
        if sampling.temperature:
            import torch

            seeds = [sampling.seed * 1_000_003 + index for index in indices]
            self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, logits: torch.Tensor, rows: Sequence[int]) -> list[int]:
        import torch

        if not self.sampling.temperature:
            return logits.argmax(-1).tolist()  # type: ignore[no-any-return]
        probabilities = (logits / self.sampling.temperature).softmax(-1).cpu()
        ordered, ids = probabilities.sort(-1, descending=True)
        ordered[ordered.cumsum(-1) - ordered >= self.sampling.top_p] = 0  # keeps the first token that reaches top_p
        drawn = [
            torch.multinomial(line, 1, generator=self.generators[row]) for line, row in zip(ordered, rows, strict=True)
        ]
        return ids.gather(-1, torch.stack(drawn))[:, 0].tolist()  # type: ignore[no-any-return]


def _decode(
    prefill: Prefill, prompts: Sequence[Prompt], *, stops: set[int], max_new_tokens: int, sample: _Sampler
) -> list[tuple[list[int], bool]]:
    """The new token ids of each prompt without its stop token, and whether it stopped."""
    import torch

    written: list[list[int]] = [[] for _ in prompts]
    stopped = [False] * len(prompts)
    rows = list(range(len(prompts)))  # the prompt of each row still in the batch
    if max_new_tokens < 1:
        return list(zip(written, stopped, strict=True))
    with torch.inference_mode():
        cache, mask, logits = prefill.read(prompts)
        device, seen = mask.device, mask.shape[1]
        mask = torch.cat([mask, mask.new_ones(len(prompts), max_new_tokens)], dim=1)
        position_ids = (mask.cumsum(1) - 1).clamp(min=0)
        for step in range(max_new_tokens):
            tokens = sample(logits, rows)
            for row, token in zip(rows, tokens, strict=True):
                if token in stops:
                    stopped[row] = True
                elif not stopped[row]:
                    written[row].append(token)
            running = [i for i, row in enumerate(rows) if not stopped[row]]
            if not running or step == max_new_tokens - 1:
                break
            if len(running) <= _SHRINK_BELOW * len(rows) and not prefill.recurrent:
                kept = torch.tensor(running, device=device)
                cache.batch_select_indices(kept)
                mask, position_ids = mask[kept], position_ids[kept]
                rows, tokens = [rows[i] for i in running], [tokens[i] for i in running]
            seen += 1
            input_ids = torch.tensor(tokens, device=device)[:, None]
            logits = prefill.forward(input_ids, mask[:, :seen], position_ids[:, seen - 1 : seen], cache)[:, -1]
    return list(zip(written, stopped, strict=True))
