"""The conformance suite of every provider, and tests of the room's own parts."""
