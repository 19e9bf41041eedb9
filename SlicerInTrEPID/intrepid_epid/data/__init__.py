"""Small physics tables; ``README.md`` beside this file names the source of each and the command that makes it."""
