"""slmkit sweep: a search over keys of a recipe, each trial a run."""
