"""The Service API of the accounts room."""
