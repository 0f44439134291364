"""The calls that a model makes: they report a status, and never raise or hang."""
