"""Access to the command line: SSH, console, terminal, root's shell."""
