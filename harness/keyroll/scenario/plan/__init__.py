"""What can be computed before a run from the file, the seed and t0: chains, keyring, deadlines, real time. Pure."""
