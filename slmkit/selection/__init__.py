"""Which base model to take: model cards, hard constraints, memory and speed bounds, and measurements."""
