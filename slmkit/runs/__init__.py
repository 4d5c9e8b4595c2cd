"""From a checked call to a run directory with a result: plans, fingerprints, executes and records."""
