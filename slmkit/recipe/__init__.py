"""From a YAML file to a checked call: reads recipes, merges their layers, validates them against signatures."""
