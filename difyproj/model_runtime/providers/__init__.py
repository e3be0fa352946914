"""Model providers, one file and one row of the catalogue each."""
