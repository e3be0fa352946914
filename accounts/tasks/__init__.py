"""Jobs of the accounts room."""
