"""The questions of the study: one folder per question, which holds its runs, its frames and its charts."""
