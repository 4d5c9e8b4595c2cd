"""Training for every method, by TRL's trainers: config, checkpoints, guards, the trial step."""
