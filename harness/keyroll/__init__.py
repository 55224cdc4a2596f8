"""keyroll proves that a TCP-AO key rollover between Junos routers is hitless before it is done in production."""

try:
    from keyroll._version import __version__
except ImportError:  # a tree that nobody has built or installed
    __version__ = "0.0"

__all__ = ["__version__"]
