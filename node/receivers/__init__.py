"""Receiving in several processes: one listening socket, slots that all share, and a first process that keeps them up.

`choosing` says how a node receives. `several` is what the first process does, and `recording` how it writes what the
others hand over to it; `preload` and `freeze` are what receiving processes have in common, `process` what each begins
with, and `serving` what it then does, where its rows are written by the first process (`handing`, in the words of
`message`) or by itself (`writing`). What receives, in whichever process, is `node.receiving`; what rows rest on,
`bookkeeping` joins.
"""
