"""Opens, limits, scrubs and migrates databases, whatever they hold."""
