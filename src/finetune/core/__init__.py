"""What every stage stands on: parameters, files, errors, the start and the end of a run."""
