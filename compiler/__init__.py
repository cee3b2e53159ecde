"""Checkpoint -> bundle: export, quantise, prove, gather."""
