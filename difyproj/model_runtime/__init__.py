"""Talk to any model the same way. Pure: no Django, no rows, no settings; credentials and the HTTP client are handed in."""
