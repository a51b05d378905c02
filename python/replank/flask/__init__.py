"""Flask's side of Replank."""
