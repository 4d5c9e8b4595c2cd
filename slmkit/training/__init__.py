"""One training loop for every method, driven by TRL trainers: config, checkpoints, guards, the first trial step."""
