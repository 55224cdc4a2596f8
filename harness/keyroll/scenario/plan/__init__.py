"""What is to happen, before a router is asked: chains, keyring, deadlines, real time. Pure."""
