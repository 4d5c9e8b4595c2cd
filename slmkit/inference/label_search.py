"""Best-first search for the likeliest label in a tree of label tokens; it runs no model.

A prefix that is already less likely than a complete label is not expanded. The result is still exact: a sequence is
never more probable than its prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from math import exp, log

_MAX_NODES = 16  # nodes of a row read per pass; 8 and 64 take a third longer on 77 labels


class LabelTree:
    """The labels' tokens with common beginnings merged; node 0 is the end of the prompt."""

    def __init__(self, endings: Sequence[Sequence[int]]) -> None:
        self.tokens = [-1]  # per node: the token that leads to it
        self.branches: list[list[tuple[int, int]]] = [[]]  # per node: (next token, next node or ~label)
        for label, ids in enumerate(endings):
            node = 0
            for token in ids[:-1]:
                following = next((to for known, to in self.branches[node] if known == token and to > 0), None)
                if following is None:
                    following = len(self.tokens)
                    self.tokens.append(token)
                    self.branches.append([])
                    self.branches[node].append((token, following))
                node = following
            self.branches[node].append((ids[-1], ~label))


class LabelSearch:
    """A best-first search of the tree for one prompt: the scores so far, the nodes to read next, the best label."""

    def __init__(self, tree: LabelTree) -> None:
        self.tree = tree
        self.best, self.best_score, self.done = 0, float("-inf"), False
        self.scores = {0: 0.0}  # per node read: the log-probability of its text
        self.guided = {0: 0.0}  # per node: its log-probability if only labels can be generated
        self.best_guided = 0.0
        self.slots: dict[int, tuple[int, ...]] = {0: ()}  # per node read: the cache slots of it and its ancestors
        self.frontier: list[tuple[float, int, int]] = []  # (-score, node, parent), the likeliest first

    def expand(self, node: int, log_probabilities: Sequence[float]) -> None:
        """Adds the branches of a node that was read, with the log-probability of each."""
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
        """The likeliest unread nodes that can still lead to the best label, with cache slots from first_slot on."""
        nodes: list[int] = []
        while self.frontier and len(nodes) < _MAX_NODES and -self.frontier[0][0] >= self.best_score:
            negative, node, parent = heappop(self.frontier)
            self.scores[node] = -negative
            self.slots[node] = (*self.slots[parent], first_slot + len(nodes))
            nodes.append(node)
        self.done = not nodes
        return nodes


def _log_sum_exp(values: Sequence[float]) -> float:
    highest = max(values)
    return highest + log(sum(exp(value - highest) for value in values))
