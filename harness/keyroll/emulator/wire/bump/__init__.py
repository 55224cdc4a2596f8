"""The wire path, pure: frames in, frames out, with the TCP-AO option inserted, verified and stripped."""
