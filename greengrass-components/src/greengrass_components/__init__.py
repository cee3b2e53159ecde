"""Bundles as AWS IoT Greengrass v2 components."""
