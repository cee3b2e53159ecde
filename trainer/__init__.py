"""Utterances -> dataset -> checkpoint."""
