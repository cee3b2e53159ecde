"""The tasks of the compiler, a module for each namespace."""
