"""Where runs are logged: the embedded MLflow store or a shared server."""
