"""Files that travel with a registered model and run without sslflow."""
