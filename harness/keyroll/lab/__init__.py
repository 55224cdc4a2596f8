"""Where routers run. Labs know nothing of keys: they give routers, captures and clocks."""
