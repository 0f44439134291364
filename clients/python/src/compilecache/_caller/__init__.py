"""One call to the daemon, made in a short-lived process of its own."""
