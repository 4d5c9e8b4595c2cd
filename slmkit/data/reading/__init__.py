"""Reading: a file or a folder becomes rows that know their place, in any encoding and format."""
