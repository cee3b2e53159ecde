"""The Invoke tasks of components and of the cloud."""
