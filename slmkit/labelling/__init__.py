"""People label examples on a local page: the journal of what they did, its server, and how far they agree."""
