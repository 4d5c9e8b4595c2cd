"""Reward models: a language model with a one-output head, new or as saved by a run."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.models.load import Loaded, load_model
from slmkit.models.model_folder import model_folder, read_base
from slmkit.types import ModelRef


def with_score_head(loaded: Loaded, *, seed: int) -> Any:
    """The loaded model's body (in 4 bits if it was loaded so) with a new one-output head."""
    from transformers import AutoModelForSequenceClassification, set_seed

    set_seed(seed)  # for the head's random start
    config = type(loaded.model.config).from_dict({**loaded.model.config.to_dict(), "num_labels": 1})
    config.pad_token_id = loaded.tokenizer.pad_token_id
    scorer = AutoModelForSequenceClassification.from_config(config, dtype=loaded.model.dtype)
    setattr(scorer, scorer.base_model_prefix, loaded.model.base_model)
    for name in ("is_loaded_in_4bit", "is_quantized", "quantization_method", "hf_quantizer"):
        if hasattr(loaded.model, name):
            setattr(scorer, name, getattr(loaded.model, name))
    return scorer.to(loaded.model.device)


@functools.lru_cache(maxsize=1)
def load_scorer(ref: ModelRef) -> tuple[Any, Any]:
    """The reward model saved by a run of the reward stage, and its tokenizer.

    Raises: SlmkitError for a model without a scoring head.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = model_folder(ref)
    if folder is None or not _scores(folder):
        fix = "use a run of the reward stage, such as methods/reward"
        raise SlmkitError(f"{ref.name!r} is not a reward model", where=str(folder or ref.path), fix=fix)
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    if (folder / "adapter_config.json").exists():
        from peft import PeftModel

        bare = with_score_head(load_model(read_base(folder)), seed=0)
        scorer = PeftModel.from_pretrained(bare, str(folder))  # the head is saved with the adapter
    else:
        scorer = AutoModelForSequenceClassification.from_pretrained(str(folder))
    return scorer.eval(), tokenizer


def score(ref: ModelRef, messages: list[dict[str, Any]], *, tools: Sequence[Any] = ()) -> float:
    """The reward model's score of a chat that ends with an answer: unbounded, higher is better."""
    import torch

    from slmkit.models.chat_template import render

    scorer, tokenizer = load_scorer(ref)
    [ids] = render(tokenizer, [messages], tools=[tools], add_generation_prompt=False)
    with torch.no_grad():
        return float(scorer(input_ids=torch.tensor([ids], device=scorer.device)).logits[0, 0])


def _scores(folder: Path) -> bool:
    adapter = folder / "adapter_config.json"
    if adapter.exists():
        return bool(json.loads(adapter.read_text(encoding="utf-8")).get("task_type") == "SEQ_CLS")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return any(name.endswith("ForSequenceClassification") for name in config.get("architectures") or [])
