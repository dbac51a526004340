"""Group rows, and label the next one."""
