"""The cleaning steps that `steps:` of a prepare recipe names."""
