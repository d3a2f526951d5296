"""Receiving: associations accepted and kept what comes on them, in one process or in several.

`choosing` says in how many. `one_process` receives, in whichever process. In several they have one listening socket
(`turns`) and slots that all share, and a first process that keeps them up (`several`) and writes what the others hand
over to it (`handed_over`). `preload` and `freeze` are what receiving processes have in common, `process` what each
begins with, and `until_told` what it then does, where its rows are written by the first process (`handing`, in the
words of `message`) or by itself (`own_rows`). What rows rest on, `bookkeeping` joins.
"""
