"""Measured from outside: real processes, real sockets, CPU time from /proc. Scripts that print figures, not tests."""
