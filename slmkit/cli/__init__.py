"""The command line: a command is a file, named after it; the other files are what commands share."""
