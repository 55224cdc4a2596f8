"""keyroll proves that a TCP-AO key rollover between Junos routers is hitless before it is done in production."""

__version__ = "0.1.0"
