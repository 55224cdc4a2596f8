"""Observation of the routers: clocks, samples, the wire, TCP events, drops."""
