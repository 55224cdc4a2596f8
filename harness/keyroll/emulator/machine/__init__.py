"""The router as a machine: namespaces, FRR, the wire path and the configuration kept in step."""
