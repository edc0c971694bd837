"""What exists only on a developer's machine."""
