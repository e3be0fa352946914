"""The edges of the accounts room: one package per tier."""
