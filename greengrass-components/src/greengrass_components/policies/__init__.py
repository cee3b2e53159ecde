"""What the policies of the cloud side allow: an evaluator, a table of promises, a linter."""
