"""Input and output files of jobs."""
