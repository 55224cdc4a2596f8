"""The wire path as a process: sockets, offload, the event loop."""
