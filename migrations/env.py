"""Alembic's entry: runs the revisions on the connection that `node.store.schema` hands over.

It imports nothing of the node, so that a revision means the same for ever.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("metadata"),
    render_as_batch=True,  # SQLite alters a table by rebuilding it
    transactional_ddl=True,  # the connection is already in a transaction, on SQLite too
)
with context.begin_transaction():
    context.run_migrations()
