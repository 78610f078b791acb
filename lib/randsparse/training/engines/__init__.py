"""Other ways to train than one run on one core: side by side, captured, streamed."""
