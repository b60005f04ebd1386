"""OAuth in its own words: rich authorization requests, grants (docs/standards/oauth.md). Tokens themselves are `api.tokens`."""
