"""The micro-world: generated documents, questions and tokenizer of the bundled models, with known answers."""
