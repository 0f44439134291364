"""Where the daemon is, and how one is started."""
