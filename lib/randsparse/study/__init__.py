"""The study: profiles, notebooks, pages and the command line."""
