"""One stage in one process, with its tracking; and the Prefect tasks that launch stages."""
