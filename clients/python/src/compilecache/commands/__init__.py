"""The programs that this package installs."""
