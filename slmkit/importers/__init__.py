"""Training configs of other tools (axolotl, LLaMA-Factory, TRL, Unsloth) as slmkit recipes."""
