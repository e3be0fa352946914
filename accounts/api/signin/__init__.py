"""Signing in at a provider (OpenID Connect, Google, GitHub): pages in Django's full chain, allauth's conversation inside."""
