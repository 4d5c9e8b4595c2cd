"""FSDP2 with torch's own `fully_shard`: each process keeps a share of weights, gradients and optimizer state.

The same code shards on CPUs (gloo) and GPUs (nccl). accelerate's FSDP silently falls back to DDP on CPUs, so it is not
used; a flag on the model keeps transformers' Trainer from wrapping it again. The Trainer cannot resume such a run, so
no checkpoints are written.
"""

from __future__ import annotations

import os
from typing import Any

from slmkit.errors import FailedError, RefusedError

_VARIABLE = "SLMKIT_FSDP"  # set by the launcher in each process it starts


def is_fsdp_requested() -> bool:
    """Whether this process was launched with --fsdp."""
    return os.environ.get(_VARIABLE) == "1"


def shard_model(model: Any) -> Any:
    """The model sharded over all processes, layer by layer, then the rest; every process must call this."""
    import torch
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    base = model.get_base_model() if hasattr(model, "peft_config") else model
    if any(parameter.dtype == torch.uint8 for parameter in model.parameters()):
        raise RefusedError("4-bit weights cannot be sharded", where="--fsdp, load_in_4bit", fix="adapter: lora")
    if not dist.is_initialized():
        dist.init_process_group("nccl" if model.device.type == "cuda" else "gloo")
    mesh = init_device_mesh(model.device.type, (dist.get_world_size(),))
    for layer in base.get_decoder().layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    base._is_distributed_loading_by_transformers = True  # leaves placement and reduction to the model
    return model


def local_share(model: Any) -> float:
    """The share of a sharded model's weights that this process holds."""
    parameters = list(model.parameters())
    return float(sum(p.to_local().numel() for p in parameters) / sum(p.numel() for p in parameters))


def gather_model(model: Any) -> Any:
    """An unsharded copy of a sharded model on the first process, None on the others; every process must call this."""
    import torch.distributed as dist
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
    from transformers import AutoModelForCausalLM

    state = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if dist.get_rank() != 0:
        return None
    adapted = hasattr(model, "peft_config")
    base = model.get_base_model() if adapted else model
    whole = AutoModelForCausalLM.from_config(base.config, dtype=base.dtype)
    if adapted:
        from peft import get_peft_model

        whole = get_peft_model(whole, model.peft_config[model.active_adapter])
    missing, unknown = whole.load_state_dict(state, strict=False)
    if missing or unknown:
        raise FailedError(f"the sharded weights do not fit the model: {[*missing, *unknown][:3]}")
    return whole.to(model.device).eval()
