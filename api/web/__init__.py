"""The pages for people: server-rendered, in Chinese and English, readable and stoppable without scripts."""

from api.web.app import mount

__all__ = ["mount"]
