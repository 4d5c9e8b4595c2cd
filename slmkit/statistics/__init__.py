"""How sure a score is: intervals, paired tests, and the power of a gold set."""
