"""How an emulated router starts: as a program, as a container, and its control socket."""
