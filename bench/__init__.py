"""Measurements, run on demand."""
