"""The trainer's tasks, one module a namespace."""
