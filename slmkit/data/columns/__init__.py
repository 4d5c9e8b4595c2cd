"""What columns mean: names, templates and paths, several rows in one, and forms that are made of several columns."""
