"""When two texts are the same or nearly so: pure functions, below data and gold."""
