"""Many tasks on the processes of this machine or on a Dask cluster: cohort imports and batches share it."""
