"""The ASGI application, its routes, and the process around it."""
