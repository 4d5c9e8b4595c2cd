"""Converts training configs of LLaMA-Factory, axolotl, TRL and Unsloth to slmkit recipes."""
