"""Which keys a capture is judged by: a keys file, or the configurations of routers."""
