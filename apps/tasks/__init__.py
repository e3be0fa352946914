"""Jobs of the apps, one file each: the file's name is the job's (apps.<name>)."""
