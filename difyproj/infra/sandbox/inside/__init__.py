"""What runs inside the sandbox's processes: programs that know nothing of the project and are imported by nobody else."""
