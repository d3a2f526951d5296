"""When work happens: threads, child processes and the one work loop.

It knows nothing of what the work is; callers hand in callables.
"""
