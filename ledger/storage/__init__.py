"""Storage: one implementation on SQLAlchemy for SQLite and PostgreSQL. The only place that speaks SQL about the log."""
