"""Writes and look-ups of the apps room: keyword-only, typed, atomic; called by tiers, admin and tasks alike."""
