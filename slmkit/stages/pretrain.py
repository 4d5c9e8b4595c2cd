"""Training of all weights on the micro-world, in phases that end when a measured ability is there."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from slmkit.errors import SlmkitError
from slmkit.files import write_json
from slmkit.micro_world.corpus import MIXES, Encoder, document, rows
from slmkit.micro_world.engine import rng
from slmkit.runs.run import Run
from slmkit.training.checkpoints import PARTIAL, publish, rewind_log
from slmkit.types import Fraction, LearningRate, Model, ModelRef, NonNegativeFloat, NonNegativeInt, PositiveFloat

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import LlamaForCausalLM

ABILITIES = ("repeat", "cards", "binding")  # what a gate can ask for: kinds of documents, in order of appearance
NUM_MEASURED = 100  # documents behind a measured ability
LOG_EVERY, MEASURE_EVERY, SAVE_EVERY = 50, 100, 500  # steps
EMBEDDING_STD = 0.2  # larger than a layer's output at the start, or copying has nothing to find


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The size of a Llama model; input and output embeddings are tied."""

    hidden_size: int = 128
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    intermediate_size: int = 344


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A mix of documents, trained until `gate` is answered right with the share `above`, or max_tokens are spent."""

    mix: str
    max_tokens: int
    max_length: int = 256
    tokens_per_step: int = 2048
    min_tokens: int = 0
    gate: str | None = None
    above: float = 1.0


def pretrain(
    run: Run,
    *,
    phases: list[Phase],
    model: Model | None = None,
    shape: Shape | None = None,
    learning_rate: LearningRate = 1e-2,
    embedding_learning_rate: PositiveFloat = 8e-3,
    warmup_steps: NonNegativeInt = 60,
    hold: Fraction = 0.5,
    weight_decay: NonNegativeFloat = 0.1,
    dtype: Literal["float32", "bfloat16"] = "float32",
    compile: bool = False,
) -> None:
    """Trains a model from random weights (`shape`) or further (`model`), phase by phase, on the micro-world.

    Muon moves the matrices, AdamW the embeddings and norms. The rate is warmed up, held, and in the last phase falls
    after the share `hold` of it to 3 %. dtype: what products are worked out in; the weights stay float32, and bfloat16
    is twice as fast where the hardware has it. compile: a quarter faster on a CPU, where a C++ compiler is at hand.

    Writes model/ in half precision, and how it came about in lineage.json.
    """
    import torch

    from slmkit.training.muon import Muon

    started = time.time()
    torch.manual_seed(run.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network, tokenizer = _start(model, shape)
    network.to(device).train()
    body = torch.compile(network.model) if compile else network.model
    encoder = Encoder(tokenizer)
    matrices = [p for name, p in network.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in network.named_parameters() if p.ndim != 2 or "embed" in name]
    muon = Muon(matrices, weight_decay=weight_decay, dtype=dtype)
    adamw = torch.optim.AdamW(others, lr=embedding_learning_rate, betas=(0.9, 0.95), weight_decay=0.0)
    state: dict[str, Any] = {
        "step": 0,
        "phase": 0,
        "phase_tokens": 0,
        "tokens": 0,
        "seconds": 0.0,
        "loss": None,
        "history": [],
    }
    rewind_log(run.path("log.jsonl"), run.checkpoint)
    if run.checkpoint:
        saved = torch.load(run.checkpoint / "state.pt", map_location=device, weights_only=True)
        network.load_state_dict(saved["network"])
        muon.load_state_dict(saved["muon"])
        adamw.load_state_dict(saved["adamw"])
        state = saved["state"]
        run.note(f"resumed at step {state['step']:,}")

    losses: list[Tensor] = []
    with run.progress("pretrain", sum(phase.max_tokens for phase in phases) - state["tokens"], unit="tokens") as bar:
        while state["phase"] < len(phases):
            phase = phases[state["phase"]]
            is_last = state["phase"] == len(phases) - 1
            rate = min(1.0, (state["step"] + 1) / warmup_steps)
            if is_last:
                left = 1 - state["phase_tokens"] / phase.max_tokens
                rate *= max(0.03, min(1.0, left / (1 - hold)))
            count = max(1, phase.tokens_per_step // phase.max_length)
            batch = rows(
                encoder, phase.mix, seed=run.seed, step=state["step"], count=count, max_length=phase.max_length
            )
            input_ids = torch.tensor([ids for ids, _ in batch], device=device)  # (B, T + 1)
            weights = torch.tensor([w for _, w in batch], device=device)[:, 1:]
            with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"):
                loss = _loss(body, network.lm_head, input_ids, weights)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(others, 1.0)
            muon.step(learning_rate * rate)
            for group in adamw.param_groups:
                group["lr"] = embedding_learning_rate * rate
            adamw.step()
            network.zero_grad(set_to_none=True)

            losses.append(loss.detach())
            num_tokens = count * phase.max_length
            state["step"] += 1
            state["tokens"] += num_tokens
            state["phase_tokens"] += num_tokens
            bar.advance(num_tokens, tokens=num_tokens)
            if state["step"] % LOG_EVERY == 0:
                state["loss"] = round(float(torch.stack(losses).mean()), 4)
                losses.clear()
                run.log(state["step"], loss=state["loss"], learning_rate=learning_rate * rate, tokens=state["tokens"])
            done = state["phase_tokens"] >= phase.max_tokens
            if done or (phase.gate and state["step"] % MEASURE_EVERY == 0):
                abilities = {
                    kind: ability(network, encoder, kind, chat=phase.mix == "chat")
                    for kind in ABILITIES
                    if kind in MIXES[phase.mix]
                }
                run.log(state["step"], tokens=state["tokens"], **abilities)
                gated = phase.gate and state["phase_tokens"] >= phase.min_tokens
                if done or (gated and phase.gate and abilities[phase.gate] >= phase.above):
                    told = ", ".join(f"{kind} {value:.2f}" for kind, value in abilities.items())
                    run.note(f"phase {phase.mix}: {state['phase_tokens']:,} tokens, {told}")
                    state["history"].append(
                        {"mix": phase.mix, "tokens": state["phase_tokens"], "loss": state["loss"], **abilities}
                    )
                    state["phase"] += 1
                    state["phase_tokens"] = 0
            if state["step"] % SAVE_EVERY == 0:
                state["seconds"] += time.time() - started
                started = time.time()
                _save_checkpoint(run, network, muon, adamw, state)

    seconds = state["seconds"] + time.time() - started
    _write(run, network, tokenizer)
    write_json(
        run.path("model/lineage.json"),
        {
            "made_by": run.name, "seed": run.seed, "from": model.name if model else "random weights",
            "shape": asdict(shape) if shape else None, "phases": state["history"], "tokens": state["tokens"],
            "steps": state["step"], "seconds": round(seconds), "device": device, "torch": torch.__version__,
            "learning_rate": learning_rate, "embedding_learning_rate": embedding_learning_rate, "dtype": dtype,
        },
    )  # fmt: skip
    last = state["history"][-1]
    run.metric(tokens=float(state["tokens"]), seconds=seconds, **{k: last[k] for k in ABILITIES if k in last})


def check(
    *,
    phases: list[Phase],
    model: ModelRef | None = None,
    shape: Shape | None = None,
    compile: bool = False,
    **_: object,
) -> None:
    """Refuses mixes and gates that are not there, a start that is neither or both of model and shape, no compiler."""
    if compile and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        raise SlmkitError(
            "compile is true, and there is no C++ compiler",
            where="with.compile",
            fix="compile=false, a quarter slower",
        )
    if (model is None) == (shape is None):
        raise SlmkitError(
            "pretrain starts from a model or from a shape", where="with.model, with.shape", fix="give exactly one"
        )
    for number, phase in enumerate(phases):
        if phase.mix not in MIXES:
            raise SlmkitError(
                f"unknown mix {phase.mix!r}", where=f"with.phases[{number}].mix", fix=f"one of {', '.join(MIXES)}"
            )
        if phase.gate not in (None, *ABILITIES):
            raise SlmkitError(
                f"unknown gate {phase.gate!r}",
                where=f"with.phases[{number}].gate",
                fix=f"one of {', '.join(ABILITIES)}",
            )


def ability(network: LlamaForCausalLM, encoder: Encoder, kind: str, *, chat: bool = False) -> float:
    """The share of answer tokens that the model would say in documents of a kind with names it never saw."""
    import torch

    right = total = 0
    documents = [document(encoder, rng("ability", kind, n), kind, "dev", chat=chat) for n in range(NUM_MEASURED)]
    documents.sort(key=lambda row: len(row[0]))
    network.eval()
    with torch.no_grad():
        for first in range(0, len(documents), 25):
            batch = documents[first : first + 25]
            longest = max(len(ids) for ids, _ in batch)
            input_ids = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in batch], device=network.device)
            counted = torch.tensor([w + [0.0] * (longest - len(w)) for _, w in batch], device=network.device) == 1
            counted &= (input_ids != encoder("\n")[0]) & (input_ids != encoder.tokenizer.eos_token_id)
            said = network(input_ids=input_ids).logits[:, :-1].argmax(-1)  # right padding: earlier positions see none
            right += int(((said == input_ids[:, 1:]) & counted[:, 1:]).sum())
            total += int(counted[:, 1:].sum())
    network.train()
    return right / total


def _start(model: ModelRef | None, shape: Shape | None) -> tuple[LlamaForCausalLM, Any]:
    """A network and its tokenizer: the given model's, with rows for the chat marks, or a new one of this shape."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    from slmkit.micro_world.tokenizer import CONTEXT_LENGTH, tokenizer

    if model:
        from slmkit.models.load import load_model

        loaded = load_model(model, device="cpu", dtype="float32")
        _start_chat_rows(loaded.model, loaded.tokenizer)
        return loaded.model, loaded.tokenizer
    words = tokenizer()
    marks = {
        "pad_token_id": words.pad_token_id,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
    }
    config = LlamaConfig(
        vocab_size=len(words),
        max_position_embeddings=CONTEXT_LENGTH,
        tie_word_embeddings=True,
        **asdict(shape or Shape()),
        **marks,
    )
    network = LlamaForCausalLM(config)
    network.generation_config = GenerationConfig(**marks)
    with torch.no_grad():
        network.model.embed_tokens.weight.normal_(0, EMBEDDING_STD)
    return network, words


def _start_chat_rows(network: LlamaForCausalLM, tokenizer: Any) -> None:
    """Starts the chat marks from what plays their part in the text: "q:", "a:" and a new line."""
    import torch

    alike = {"<|user|>": "\n q:", "<|assistant|>": "\n a:", "<|system|>": "\n", "<|tool|>": "\n tool:"}
    alike |= {"<think>": ".", "</think>": ". so"}
    rows = network.get_input_embeddings().weight
    with torch.no_grad():
        for mark, text in alike.items():
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            rows[tokenizer.convert_tokens_to_ids(mark)] = rows[ids].mean(0)


def _loss(body: Any, head: Any, input_ids: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy of the next token, each weighted as the corpus says."""
    import torch

    hidden = body(input_ids=input_ids[:, :-1], use_cache=False).last_hidden_state  # (B, T, D)
    counted = weights > 0
    logits = head(hidden[counted])  # (N, V)
    losses = torch.nn.functional.cross_entropy(logits.float(), input_ids[:, 1:][counted], reduction="none")
    counted_weights = weights[counted]
    return (losses * counted_weights).sum() / counted_weights.sum()


def _save_checkpoint(run: Run, network: Any, muon: Any, adamw: Any, state: dict[str, Any]) -> None:
    """Keeps the newest checkpoint only; it gets its name once it is whole."""
    import torch

    whole = {
        "network": network.state_dict(), "muon": muon.state_dict(), "adamw": adamw.state_dict(), "state": state,
    }  # fmt: skip
    path = run.path(f"checkpoints/{PARTIAL}/checkpoint-{state['step']}/state.pt")
    torch.save(whole, path)
    publish(path.parent)


def _write(run: Run, network: Any, tokenizer: Any) -> None:
    """model/ as others load it: half precision, tokenizer, chat template, readable by all."""
    folder = run.path("model")
    network.to("cpu").half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
