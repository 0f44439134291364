"""The exceptions of the model-facing calls. A call that reports a status raises none of them."""


class CacheError(Exception):
    """Something about a cache failed."""


class CacheValidationError(CacheError):
    """A path, a setting or an environment is not one that a cache can be kept for."""


class CacheOperationInterrupted(CacheError):  # noqa: N818 - its users know it by this name
    """A transfer was told to stop: it was cancelled, or disk space ran short.

    Raised inside a callback of `transfer` or `start_transfer_async`, between two of its steps.
    """
