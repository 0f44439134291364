"""What every layer may use: processes, threads, deadlines, directories, answers as plain data."""
