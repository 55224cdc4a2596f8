"""A router that speaks Junos where there is no image: FRR beneath, TCP-AO in the wire path. Runs as a program."""
