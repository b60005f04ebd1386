"""The server: the application, its fast routes, and the processes that run it."""
