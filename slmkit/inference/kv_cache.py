"""A key-value cache with spare room: transformers' own cache is copied whole for every new token."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import DynamicCache, PretrainedConfig

_ROOM = 64  # tokens of spare room, allocated at a time


def preallocated_cache(config: PretrainedConfig) -> DynamicCache:
    """An empty DynamicCache for the model; only its full-attention layers get spare room."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    roomy = DynamicCache(config=config)
    roomy.layers = [_roomy_layer()() if type(layer) is DynamicLayer else layer for layer in roomy.layers]
    return roomy


@cache
def _roomy_layer() -> Any:
    """The layer's class; in a function, because its base class is in transformers."""
    from transformers.cache_utils import DynamicLayer

    class PreallocatedLayer(DynamicLayer):  # type: ignore[misc]
        """self.keys and self.values (B, K, T, C) are views of the first T positions of larger tensors."""

        keys: Any
        values: Any
        key_room: Any = None
        value_room: Any = None

        def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
            before = self.get_seq_length()
            after = before + key_states.shape[-2]
            if not self._has_room(after, key_states):
                self.key_room = self._larger(self.keys, key_states, before, after)
                self.value_room = self._larger(self.values, value_states, before, after)
            self.key_room[:, :, before:after] = key_states
            self.value_room[:, :, before:after] = value_states
            self.keys, self.values = self.key_room[:, :, :after], self.value_room[:, :, :after]
            return self.keys, self.values

        def _has_room(self, length: int, states: Any) -> bool:
            """False also if rows were removed or repeated: then self.keys is no longer a view."""
            room = self.key_room
            return (
                room is not None
                and room.shape[0] == states.shape[0]
                and room.shape[2] >= length
                and self.keys.data_ptr() == room.data_ptr()
            )

        def _larger(self, kept: Any, states: Any, before: int, after: int) -> Any:
            rows, heads, _, width = states.shape
            room = states.new_empty(rows, heads, after + _ROOM, width)
            if before:
                room[:, :, :before] = kept
            return room

    return PreallocatedLayer
