"""An emulated router: Junos' command line on top, FRR beneath, TCP-AO in the wire path. Runs as a program."""
