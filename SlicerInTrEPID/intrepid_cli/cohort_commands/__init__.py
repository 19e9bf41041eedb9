"""Subcommands of ``intrepid cohort``, a module for each."""
