"""From a YAML file to a checked call: reads recipes, merges their layers, and checks them against signatures."""
