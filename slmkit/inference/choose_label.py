"""Chooses the likeliest of some labels, by the probability that the model generates it and then ends its turn.

The labels form a tree of tokens, so common beginnings are read once; label_search.py decides which nodes to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import TYPE_CHECKING, Any

from slmkit.errors import SlmkitError
from slmkit.inference.label_search import LabelSearch, LabelTree
from slmkit.inference.prefill import OnOutput, Output, Prefill, Prompt, in_batches
from slmkit.models.chat_template import render_text
from slmkit.models.load import Loaded
from slmkit.models.template_traits import tool_traits
from slmkit.text.tool_calls import answer_message

if TYPE_CHECKING:
    import torch

_NORMALIZED_ROWS = 32  # logit rows per logsumexp: 6 MB at 49,152 tokens stay in cache; all at once take twice as long


def choose(
    loaded: Loaded,
    prompts: Sequence[Prompt],
    options: Sequence[str],
    *,
    batch_size: int | None = None,
    on_output: OnOutput = None,
) -> list[Output]:
    """One output per prompt, in order: the option that the model is likeliest to answer with.

    completion_tokens counts the tokens of the chosen option. confidence is its probability if only the options can be
    generated, so over all options it sums to 1. Ties go to the first option.
    """
    if not options:
        raise SlmkitError("there are no labels to choose from", where="labels", fix="add `labels` to the gold card")
    endings = option_ids(loaded, options)
    tree = LabelTree(endings)
    longest = max(map(len, endings)) - 1  # a label's last token is not read
    prefill = Prefill(loaded, prompts, new_tokens=longest)

    def answer(batch: list[int]) -> list[Output]:
        rows = [prompts[index] for index in batch]
        searches = [LabelSearch(tree) for _ in rows] if prefill.recurrent else best_first(prefill, rows, tree)
        found = [
            (search.best, search.best_guided) if search.done else _best_one_by_one(loaded, row, endings)
            for row, search in zip(rows, searches, strict=True)
        ]
        return [
            Output(
                options[best], len(prompts[index]), len(endings[best]), stopped=True, confidence=min(1.0, exp(guided))
            )
            for index, (best, guided) in zip(batch, found, strict=True)
        ]

    return in_batches(loaded, prompts, answer, new_tokens=longest, batch_size=batch_size, on_output=on_output)


def option_ids(loaded: Loaded, options: Sequence[str], *, has_tools: bool = False) -> list[list[int]]:
    """The tokens of each option as the chat template renders an answer, up to its end of turn.

    has_tools: an option that is a tool call is rendered as one, if the template can.
    """
    has_tools = has_tools and tool_traits(loaded.tokenizer).shows_calls
    user = {"role": "user", "content": "ping"}
    [prompt] = render_text(loaded.tokenizer, [[user]])
    chats = [[user, answer_message(option, has_tools=has_tools)] for option in options]
    answered = render_text(loaded.tokenizer, chats, add_generation_prompt=False)
    if not all(text.startswith(prompt) for text in answered):  # such as templates that add an empty <think> block
        answered = [f"{prompt}{option}{loaded.tokenizer.eos_token}" for option in options]
    special = set(loaded.tokenizer.all_special_ids)
    rows = loaded.tokenizer([text[len(prompt) :] for text in answered], add_special_tokens=False)["input_ids"]
    return [ids[: next((i + 1 for i, id in enumerate(ids) if id in special), len(ids))] for ids in rows]


def best_first(prefill: Prefill, prompts: Sequence[Prompt], tree: LabelTree) -> list[LabelSearch]:
    """The finished search of each prompt; every pass reads a few nodes of each prompt that is not done.

    Sliding-window layers forget the oldest tokens, so searches that would read past the window are left unfinished.
    """
    import torch

    searches = [LabelSearch(tree) for _ in prompts]
    rows = list(range(len(prompts)))  # the prompt of each row still in the batch
    nodes = [[0] for _ in prompts]  # per row: what the last pass read
    with torch.inference_mode():
        cache, mask, logits = prefill.read(prompts)
        logits, seen = logits[:, None], mask.shape[1]  # (B, nodes, V)
        while True:
            for row, its_nodes, its_logits in zip(rows, nodes, _branch_logits(logits, nodes, tree), strict=True):
                for node, log_probabilities in zip(its_nodes, its_logits, strict=True):
                    searches[row].expand(node, log_probabilities)
            nodes = [searches[row].next_nodes(seen) for row in rows]
            running = [i for i, its_nodes in enumerate(nodes) if its_nodes]
            if not running or seen >= prefill.window:
                return searches
            if len(running) < len(rows):
                kept = torch.tensor(running, device=mask.device)
                cache.batch_select_indices(kept)
                mask, rows, nodes = mask[kept], [rows[i] for i in running], [nodes[i] for i in running]
            logits = _read_nodes(prefill, cache, mask, seen, [searches[row] for row in rows], nodes)
            seen += logits.shape[1]


def _branch_logits(logits: torch.Tensor, nodes: Sequence[Sequence[int]], tree: LabelTree) -> list[list[list[float]]]:
    """The log-probability of every branch of every node just read, by row and node."""
    import torch

    indices = [
        (row, column, token)
        for row, its_nodes in enumerate(nodes)
        for column, node in enumerate(its_nodes)
        for token, _ in tree.branches[node]
    ]
    at_row, at_column, tokens = torch.tensor(indices, device=logits.device).unbind(1)
    parts = logits.flatten(0, 1).split(_NORMALIZED_ROWS)
    normalizers = torch.cat([part.logsumexp(-1) for part in parts]).view(logits.shape[:2])
    values = iter((logits[at_row, at_column, tokens] - normalizers[at_row, at_column]).tolist())
    return [[[next(values) for _ in tree.branches[node]] for node in its_nodes] for its_nodes in nodes]


def _read_nodes(
    prefill: Prefill, cache: Any, mask: Any, seen: int, searches: Sequence[LabelSearch], nodes: Sequence[Sequence[int]]
) -> torch.Tensor:
    """The logits after each node (B, nodes, V): a node attends to its prompt, its ancestors and itself."""
    import torch

    count, device, dtype = max(map(len, nodes)), mask.device, prefill.model.dtype
    visible = torch.zeros(len(nodes), count, seen + count, dtype=torch.bool)
    visible[:, :, : mask.shape[1]] = mask.bool().cpu()[:, None]
    indices = [
        (row, column, slot)
        for row, (search, its_nodes) in enumerate(zip(searches, nodes, strict=True))
        for column, node in enumerate(its_nodes)
        for slot in search.slots[node]
    ]
    visible[torch.tensor(indices).unbind(1)] = True
    weights = torch.zeros(visible.shape, dtype=dtype).masked_fill(~visible, torch.finfo(dtype).min).to(device)
    tokens = [
        [search.tree.tokens[node] for node in its_nodes] for search, its_nodes in zip(searches, nodes, strict=True)
    ]
    depths = [
        [len(search.slots[node]) - 1 for node in its_nodes] for search, its_nodes in zip(searches, nodes, strict=True)
    ]
    padded_depths = [row + [0] * (count - len(row)) for row in depths]
    position_ids = mask.sum(1, keepdim=True) + torch.tensor(padded_depths, device=device)
    input_ids = torch.tensor([row + [prefill.pad] * (count - len(row)) for row in tokens], device=device)
    return prefill.forward(input_ids, weights[:, None], position_ids, cache, keep=count)


def _best_one_by_one(loaded: Loaded, prompt: Prompt, endings: Sequence[Sequence[int]]) -> tuple[int, float]:
    """The best option, and its log-probability if only the options can be generated."""
    best = int(one_by_one(loaded, [prompt], endings)[0].argmax())
    guided = 0.0
    for i, log_probabilities in enumerate(_log_probabilities(loaded, prompt, endings[best])):
        before, token = endings[best][:i], endings[best][i]
        allowed = sorted({ids[i] for ids in endings if len(ids) > i and ids[:i] == before})
        guided += float(log_probabilities[token] - log_probabilities[allowed].logsumexp(-1))
    return best, guided


def one_by_one(loaded: Loaded, prompts: Sequence[Prompt], endings: Sequence[Sequence[int]]) -> torch.Tensor:
    """The log-probability of every option after every prompt (B, options), by one forward pass each.

    best_first must equal it. It is the only way if the state cannot branch: with recurrent layers, or a full window.
    """
    import torch

    scores = torch.zeros(len(prompts), len(endings))
    for row, prompt in enumerate(prompts):
        for column, ending in enumerate(endings):
            log_probabilities = _log_probabilities(loaded, prompt, ending)
            targets = torch.tensor(ending, device=log_probabilities.device)[:, None]
            scores[row, column] = log_probabilities.gather(-1, targets).sum()
    return scores


def _log_probabilities(loaded: Loaded, prompt: Prompt, ending: Sequence[int]) -> torch.Tensor:
    """The log-probability of every token at each position of the ending (T, V)."""
    import torch

    with torch.inference_mode():
        ids = torch.tensor([[*prompt, *ending[:-1]]], device=loaded.model.device)
        logits = loaded.model(ids, use_cache=False, logits_to_keep=len(ending)).logits[0]
        return logits.float().log_softmax(-1)
