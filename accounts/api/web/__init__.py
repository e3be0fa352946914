"""The Web API of accounts: how members sign in to published pages."""
