"""TCP-AO as RFC 5925 and 5926 have it: key derivation, MAC, option codec, segments, MKT matching. Pure."""
