"""One module a stage of dvc.yaml: read params, read inputs, call a package, write outs."""
