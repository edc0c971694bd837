"""What an operator types, against any stack by its name, with the caller's own credentials."""
