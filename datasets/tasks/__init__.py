"""Jobs of knowledge, one file each: the file's name is the job's (datasets.<name>)."""
