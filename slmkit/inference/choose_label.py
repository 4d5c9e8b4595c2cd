"""The likeliest of some given answers: each scored by the probability that the model writes it and then ends its turn.

The answers stand in a tree of tokens, so that those that begin alike share their beginning, and the tree is searched
best first: a beginning already less likely than a whole answer is left alone. The choice is exact all the same, since
a longer text is never likelier than its beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from math import exp, log
from typing import TYPE_CHECKING, Any

from slmkit.errors import SlmkitError
from slmkit.inference.prefill import OnOutput, Output, Prefill, Prompt, in_batches
from slmkit.models.chat_template import render_text
from slmkit.models.load import Loaded

if TYPE_CHECKING:
    import torch

_MOST_NODES = 16  # of a row read in one pass; 8 and 64 take a third longer on 77 labels
_ROWS_AT_A_TIME = 32  # of logits summed up, 6 MB of 49,152 each, which stay in a cache: all at once take twice as long


def choose(
    loaded: Loaded,
    prompts: Sequence[Prompt],
    options: Sequence[str],
    *,
    batch_size: int | None = None,
    on_output: OnOutput = None,
) -> list[Output]:
    """One output a prompt, in the same order: the option that the model is likeliest to answer with.

    completion_tokens are those of the option chosen, confidence the probability that the model writes it where it may
    write nothing but the options: over all of them it adds up to 1. Ties go to the option named first.
    """
    if not options:
        raise SlmkitError("there are no labels to choose from", fix="give the gold card its `labels`")
    endings = option_ids(loaded, options)
    tree = Tree(endings)
    longest = max(map(len, endings)) - 1  # a label's last token is not read
    prefill = Prefill(loaded, prompts, new_tokens=longest)

    def answer(batch: list[int]) -> list[Output]:
        rows = [prompts[index] for index in batch]
        searches = [Search(tree) for _ in rows] if prefill.recurrent else best_first(prefill, rows, tree)
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


class Tree:
    """The options' tokens with shared beginnings merged; node 0 is the end of the prompt."""

    def __init__(self, endings: Sequence[Sequence[int]]) -> None:
        self.tokens = [-1]  # of each node: the token that leads to it
        self.branches: list[list[tuple[int, int]]] = [[]]  # of each node: (next token, next node or ~option)
        for option, ids in enumerate(endings):
            node = 0
            for token in ids[:-1]:
                following = next((to for known, to in self.branches[node] if known == token and to > 0), None)
                if following is None:
                    following = len(self.tokens)
                    self.tokens.append(token)
                    self.branches.append([])
                    self.branches[node].append((token, following))
                node = following
            self.branches[node].append((ids[-1], ~option))


class Search:
    """One prompt's way through the tree: what is known, what is worth reading next, and the best option so far."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.best, self.best_score, self.done = 0, float("-inf"), False
        self.scores = {0: 0.0}  # of each node read: log-probability of its text
        self.guided = {0: 0.0}  # of each node: its log-probability where nothing but the options may be written
        self.best_guided = 0.0
        self.slots: dict[int, tuple[int, ...]] = {0: ()}  # of each node read: where it and those above it are cached
        self.frontier: list[tuple[float, int, int]] = []  # (-score, node, node above), the likeliest first

    def learn(self, node: int, log_probabilities: Sequence[float]) -> None:
        """Takes in how likely each branch of a node is."""
        allowed = _log_sum_exp(log_probabilities)
        for (_, to), log_probability in zip(self.tree.branches[node], log_probabilities, strict=True):
            score = self.scores[node] + log_probability
            guided = self.guided[node] + log_probability - allowed
            if to >= 0:
                self.guided[to] = guided
                heappush(self.frontier, (-score, to, node))
            elif (score, to) > (self.best_score, ~self.best):
                self.best, self.best_score, self.best_guided = ~to, score, guided

    def next_nodes(self, first_slot: int) -> list[int]:
        """The likeliest unread nodes that can still lead to the best option, given slots from first_slot on."""
        nodes: list[int] = []
        while self.frontier and len(nodes) < _MOST_NODES and -self.frontier[0][0] >= self.best_score:
            negative, node, above = heappop(self.frontier)
            self.scores[node] = -negative
            self.slots[node] = (*self.slots[above], first_slot + len(nodes))
            nodes.append(node)
        self.done = not nodes
        return nodes


def best_first(prefill: Prefill, prompts: Sequence[Prompt], tree: Tree) -> list[Search]:
    """The search of each prompt; every pass reads a few nodes of every prompt that is not done.

    Layers that look back over a window forget the oldest tokens: searches that would read past it are left undone.
    """
    import torch

    searches = [Search(tree) for _ in prompts]
    rows = list(range(len(prompts)))  # the prompt of each row still in the batch
    nodes = [[0] for _ in prompts]  # of each row: what the last pass read
    with torch.inference_mode():
        cache, mask, logits = prefill.read(prompts)
        logits, seen = logits[:, None], mask.shape[1]  # (B, nodes, V)
        while True:
            for row, its_nodes, its_logits in zip(rows, nodes, _branch_logits(logits, nodes, tree), strict=True):
                for node, log_probabilities in zip(its_nodes, its_logits, strict=True):
                    searches[row].learn(node, log_probabilities)
            nodes = [searches[row].next_nodes(seen) for row in rows]
            going = [i for i, its_nodes in enumerate(nodes) if its_nodes]
            if not going or seen >= prefill.window:
                return searches
            if len(going) < len(rows):
                kept = torch.tensor(going, device=mask.device)
                cache.batch_select_indices(kept)
                mask, rows, nodes = mask[kept], [rows[i] for i in going], [nodes[i] for i in going]
            logits = _read_nodes(prefill, cache, mask, seen, [searches[row] for row in rows], nodes)
            seen += logits.shape[1]


def _branch_logits(logits: torch.Tensor, nodes: Sequence[Sequence[int]], tree: Tree) -> list[list[list[float]]]:
    """The log-probability of every branch of every node just read, by row and node."""
    import torch

    places = [
        (row, place, token)
        for row, its_nodes in enumerate(nodes)
        for place, node in enumerate(its_nodes)
        for token, _ in tree.branches[node]
    ]
    at_row, at_place, tokens = torch.tensor(places, device=logits.device).unbind(1)
    parts = logits.flatten(0, 1).split(_ROWS_AT_A_TIME)
    normalisers = torch.cat([part.logsumexp(-1) for part in parts]).view(logits.shape[:2])
    values = iter((logits[at_row, at_place, tokens] - normalisers[at_row, at_place]).tolist())
    return [[[next(values) for _ in tree.branches[node]] for node in its_nodes] for its_nodes in nodes]


def _read_nodes(
    prefill: Prefill, cache: Any, mask: Any, seen: int, searches: Sequence[Search], nodes: Sequence[Sequence[int]]
) -> torch.Tensor:
    """The logits after each node (B, nodes, V): a node sees its prompt, the nodes above it, and itself."""
    import torch

    count, device, dtype = max(map(len, nodes)), mask.device, prefill.model.dtype
    visible = torch.zeros(len(nodes), count, seen + count, dtype=torch.bool)
    visible[:, :, : mask.shape[1]] = mask.bool().cpu()[:, None]
    places = [
        (row, place, slot)
        for row, (search, its_nodes) in enumerate(zip(searches, nodes, strict=True))
        for place, node in enumerate(its_nodes)
        for slot in search.slots[node]
    ]
    visible[torch.tensor(places).unbind(1)] = True
    weights = torch.zeros(visible.shape, dtype=dtype).masked_fill(~visible, torch.finfo(dtype).min).to(device)
    tokens = [
        [search.tree.tokens[node] for node in its_nodes] for search, its_nodes in zip(searches, nodes, strict=True)
    ]
    depths = [
        [len(search.slots[node]) - 1 for node in its_nodes] for search, its_nodes in zip(searches, nodes, strict=True)
    ]
    filled = [row + [prefill.pad] * (count - len(row)) for row in tokens]
    deep = [row + [0] * (count - len(row)) for row in depths]
    position_ids = mask.sum(1, keepdim=True) + torch.tensor(deep, device=device)
    input_ids = torch.tensor(filled, device=device)
    return prefill.forward(input_ids, weights[:, None], position_ids, cache, keep=count)


def _log_sum_exp(values: Sequence[float]) -> float:
    highest = max(values)
    return highest + log(sum(exp(value - highest) for value in values))


def _best_one_by_one(loaded: Loaded, prompt: Prompt, endings: Sequence[Sequence[int]]) -> tuple[int, float]:
    """The best option, and its log-probability where nothing but the options may be written."""
    best = int(one_by_one(loaded, [prompt], endings)[0].argmax())
    guided = 0.0
    for place, log_probabilities in enumerate(_log_probabilities(loaded, prompt, endings[best])):
        before, token = endings[best][:place], endings[best][place]
        allowed = sorted({ids[place] for ids in endings if len(ids) > place and ids[:place] == before})
        guided += float(log_probabilities[token] - log_probabilities[allowed].logsumexp(-1))
    return best, guided


def one_by_one(loaded: Loaded, prompts: Sequence[Prompt], endings: Sequence[Sequence[int]]) -> torch.Tensor:
    """The log-probability of every option after every prompt (B, options), by one pass each.

    What best_first has to equal, and the only way where the state cannot branch: of recurrent layers, or of layers
    whose window is full.
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
    """Of every token at each place of the ending (T, V)."""
    import torch

    with torch.inference_mode():
        ids = torch.tensor([[*prompt, *ending[:-1]]], device=loaded.model.device)
        logits = loaded.model(ids, use_cache=False, logits_to_keep=len(ending)).logits[0]
        return logits.float().log_softmax(-1)
