"""The likeliest of some given answers, found in one pass a prompt: all answers stand in one tree of tokens.

Each answer is scored by the probability that the model writes exactly it and then ends its turn. Answers that begin
alike share those tokens, and a mask lets each token see the prompt and its own beginning only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from slmkit.errors import SlmkitError
from slmkit.models.chat import render_text
from slmkit.models.load import Loaded
from slmkit.models.prefill import OnOutput, Output, Prefill, Prompt, in_batches

if TYPE_CHECKING:
    import torch

_MAX_BATCH_VALUES = 200_000_000  # log-probabilities of a batch: rows * tree tokens * V; 0.8 GB


def choose(
    loaded: Loaded,
    prompts: Sequence[Prompt],
    options: Sequence[str],
    *,
    batch_size: int | None = None,
    on_output: OnOutput = None,
) -> list[Output]:
    """One output a prompt, in the same order: the option that the model is likeliest to answer with.

    completion_tokens are those of the option chosen. Ties go to the option named first.
    """
    if not options:
        raise SlmkitError("there are no labels to choose from", fix="give the gold card its `labels`")
    endings = option_ids(loaded, options)
    tree = _Tree(endings)
    prefill = Prefill(loaded, prompts)
    vocabulary = loaded.model.config.get_text_config().vocab_size
    most_rows = max(1, _MAX_BATCH_VALUES // (vocabulary * max(1, len(tree.tokens))))

    def answer(batch: list[int]) -> list[Output]:
        outputs = []
        for start in range(0, len(batch), most_rows):
            part = batch[start : start + most_rows]
            rows = [prompts[index] for index in part]
            scores = _rows_one_by_one(loaded, rows, endings) if prefill.recurrent else tree.scores(prefill, rows)
            for index, best in zip(part, scores.argmax(-1).tolist(), strict=True):
                outputs.append(Output(options[best], len(prompts[index]), len(endings[best]), stopped=True))
        return outputs

    longest = max(map(len, endings))
    return in_batches(loaded, prompts, answer, new_tokens=longest, batch_size=batch_size, on_output=on_output)


def option_ids(loaded: Loaded, options: Sequence[str]) -> list[list[int]]:
    """The tokens that the model would write for each option, as its template renders an answer, with end of turn."""
    user = {"role": "user", "content": "ping"}
    [asked] = render_text(loaded.tokenizer, [[user]])
    chats = [[user, {"role": "assistant", "content": option}] for option in options]
    answered = render_text(loaded.tokenizer, chats, add_generation_prompt=False)
    if not all(text.startswith(asked) for text in answered):  # such as templates that add an empty <think> block
        answered = [f"{asked}{option}{loaded.tokenizer.eos_token}" for option in options]
    special = set(loaded.tokenizer.all_special_ids)
    rows = loaded.tokenizer([text[len(asked) :] for text in answered], add_special_tokens=False)["input_ids"]
    return [ids[: next((i + 1 for i, id in enumerate(ids) if id in special), len(ids))] for ids in rows]


class _Tree:
    """The options' tokens with shared beginnings merged; node 0 is the end of the prompt."""

    def __init__(self, endings: Sequence[Sequence[int]]) -> None:
        self.tokens: list[int] = []  # of nodes 1, 2, …: those with a token after them, which the model must read
        self.parents: list[int] = []
        self.steps: list[list[tuple[int, int]]] = []  # of each option: (node, the token that follows it)
        children: dict[tuple[int, int], int] = {}
        for ids in endings:
            node, steps = 0, []
            for i, token in enumerate(ids):
                steps.append((node, token))
                if i < len(ids) - 1:
                    if (node, token) not in children:
                        self.tokens.append(token)
                        self.parents.append(node)
                        children[node, token] = len(self.tokens)
                    node = children[node, token]
            self.steps.append(steps)

    def scores(self, prefill: Prefill, prompts: Sequence[Prompt]) -> torch.Tensor:
        """The log-probability of every option after every prompt, (B, options)."""
        import torch

        with torch.inference_mode():
            cache, mask, logits = prefill.read(prompts)
            logits = logits[:, None]
            if self.tokens:
                logits = torch.cat([logits, self._read(prefill, cache, mask)], dim=1)
            log_probabilities = logits.log_softmax(-1)  # (B, 1 + nodes, V)
            nodes = torch.tensor([node for steps in self.steps for node, _ in steps], device=logits.device)
            tokens = torch.tensor([token for steps in self.steps for _, token in steps], device=logits.device)
            of_option = torch.tensor([i for i, steps in enumerate(self.steps) for _ in steps], device=logits.device)
            steps = log_probabilities[:, nodes, tokens]  # (B, all steps)
            return steps.new_zeros(len(prompts), len(self.steps)).index_add_(1, of_option, steps)

    def _read(self, prefill: Prefill, cache: Any, mask: Any) -> torch.Tensor:
        """The logits after every node, (B, nodes, V): each sees the prompt, the nodes above it, and itself."""
        import torch

        rows, count = len(mask), len(self.tokens)
        above = torch.zeros(count, count, dtype=torch.bool)
        depths = []
        for i, parent in enumerate(self.parents):
            if parent:
                above[i] = above[parent - 1]
            above[i, i] = True
            depths.append(int(above[i].sum()) - 1)
        seen = torch.cat(
            [mask.bool()[:, None].expand(-1, count, -1), above.to(mask.device)[None].expand(rows, -1, -1)], dim=2
        )
        dtype = prefill.model.dtype
        weights = torch.zeros(seen.shape, dtype=dtype, device=mask.device).masked_fill(~seen, torch.finfo(dtype).min)
        position_ids = mask.sum(1, keepdim=True) + torch.tensor(depths, device=mask.device)
        input_ids = torch.tensor(self.tokens, device=mask.device).expand(rows, -1)
        return prefill.forward(input_ids, weights[:, None], position_ids, cache, keep=count)


def _rows_one_by_one(loaded: Loaded, prompts: Sequence[Prompt], endings: Sequence[Sequence[int]]) -> torch.Tensor:
    """The same scores by one forward pass a prompt and option, for models whose state cannot branch."""
    import torch

    scores = torch.zeros(len(prompts), len(endings))
    with torch.inference_mode():
        for row, prompt in enumerate(prompts):
            for column, ending in enumerate(endings):
                ids = torch.tensor([[*prompt, *ending]], device=loaded.model.device)
                logits = loaded.model(ids, use_cache=False, logits_to_keep=len(ending) + 1).logits[0, :-1].float()
                targets = ids[0, -len(ending) :, None]
                scores[row, column] = logits.log_softmax(-1).gather(-1, targets).sum()
    return scores
