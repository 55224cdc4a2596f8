"""The embedded lab: two emulated routers in network namespaces of one machine, leaving no trace."""
