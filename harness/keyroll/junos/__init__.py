"""The client side: configure and query any Junos router, over SSH only.

This code does not depend on the platform (cRPD, vJunos, emulated router) or on the kind of lab.
"""
