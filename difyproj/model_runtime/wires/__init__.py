"""Wire families: how requests are written and streams are read. Providers bind them to an address and a credential."""
