"""The bot as a child process under faults: killed, starved of disk, cut off, run twice; the fakes outlive it."""
