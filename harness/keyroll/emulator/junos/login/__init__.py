"""Ways to the command line: SSH, console, terminal, root shell."""
