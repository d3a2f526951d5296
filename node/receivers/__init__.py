"""Receiving in several processes: one listening socket, slots that all share, and a first process that keeps them up.

`several` is what the first process does, `preload` what all receiving processes have in common, `process` what each
begins with, and `serving` what it then does. What receives, in whichever process, is `node.receiving`.
"""
