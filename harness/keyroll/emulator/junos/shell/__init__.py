"""The command line itself: grammar, completion, pipes, commands and what they print."""
