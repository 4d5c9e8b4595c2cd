"""A cache of keys and values with room to grow: transformers' own copies all of it for every token that is added."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import DynamicCache, PretrainedConfig

_ROOM = 64  # tokens of room made at a time


def roomy_cache(config: PretrainedConfig) -> DynamicCache:
    """An empty DynamicCache for the model; layers of another kind than full attention stay as they are."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    made = DynamicCache(config=config)
    made.layers = [_roomy_layer()() if type(layer) is DynamicLayer else layer for layer in made.layers]
    return made


@cache
def _roomy_layer() -> Any:
    """The layer's class; made late, since its base class is in transformers."""
    from transformers.cache_utils import DynamicLayer

    class RoomyLayer(DynamicLayer):  # type: ignore[misc]
        """self.keys and self.values (B, K, T, C) are views of the first T places of larger tensors."""

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
            """Rows may have been taken out or repeated meanwhile: then self.keys is a tensor of its own."""
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

    return RoomyLayer
