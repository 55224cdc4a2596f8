"""The client side: what any Junos router is told and asked, over SSH alone.

Nothing here knows whether cRPD, vJunos or the emulated router answers, nor which lab it stands in.
"""
