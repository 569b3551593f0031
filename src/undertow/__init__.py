"""undertow finds, explains and repairs the failures of AI models that raise no exception."""
