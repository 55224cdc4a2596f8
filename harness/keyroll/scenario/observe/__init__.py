"""What is seen of the routers: clocks, samples, the wire, TCP events, drops."""
