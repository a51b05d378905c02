"""Replank in Flask applications."""
