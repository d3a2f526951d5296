"""What was imported so far lies in memory once for all forks, however many there are; imported last, by whoever forks.

Pages that a process never writes to count once. The collector would write to every object, and so give each process a
copy of every page; what is frozen it leaves alone.
"""

import gc

gc.collect()
gc.freeze()
