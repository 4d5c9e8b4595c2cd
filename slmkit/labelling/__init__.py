"""A local page on which people label examples: its journal, its server, and the agreement of annotators."""
