"""Parts of the panel that need Qt."""
