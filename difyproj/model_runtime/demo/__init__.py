"""The mind of the built-in demo model: plain rules over the words it is given, no network, the same answer every time."""
