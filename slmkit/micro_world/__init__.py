"""The micro-world: generated documents, questions and tokenizer of the embedded models, with known answers."""
