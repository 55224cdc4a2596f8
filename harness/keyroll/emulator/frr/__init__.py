"""FRR beneath an emulated router: its daemons, its vty sockets, configuration lines from an Intent, states."""
