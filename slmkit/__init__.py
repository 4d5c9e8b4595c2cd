"""slmkit: pick, prepare, train, evaluate, compare and ship small language models, with evidence."""

__version__ = "0.1.0"
