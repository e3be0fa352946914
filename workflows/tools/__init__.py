"""Tools that graphs and agents call: pure, given what they may use."""
