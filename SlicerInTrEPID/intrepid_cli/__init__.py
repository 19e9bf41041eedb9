"""The command line ``intrepid``: one module per subcommand."""
