"""Where things are kept: tables, files, queue, outbox and the listings over them.

This room is the only home of SQLAlchemy. It knows rows and files; it does not know what a dataset says, how one
travels, or what a model thinks of it. Every repository function takes the transaction first, so that its caller
decides what is committed together.
"""
