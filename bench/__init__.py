"""Measurements of what the local engine does; nothing here is shipped or imported."""
