"""An emulated router: a Junos command line, FRR for routing, and TCP-AO in the wire path. Runs as a program."""
