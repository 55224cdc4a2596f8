"""Frames that an attacker would send: replayed or forged from frames that a capture holds."""
