"""Where weights lie on this machine: hub snapshots, packages, GGUF files; nothing is loaded or downloaded here."""
