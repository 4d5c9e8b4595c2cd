"""From a checked call to a folder with a result: keys, the plan of a graph, its execution, and the runs on disk."""
